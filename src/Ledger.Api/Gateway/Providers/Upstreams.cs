using System.Collections.Concurrent;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Gateway.Providers;

/// <summary>The providers, by the name that the rate card gives them.</summary>
public sealed partial class Upstreams : IDisposable
{
    private readonly ConcurrentDictionary<string, IProvider?> _providers = new(StringComparer.OrdinalIgnoreCase);
    private readonly bool _serveMissingBySandbox;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes every provider that is configured.</summary>
    /// <param name="configured">How they are reached.</param>
    /// <param name="serveMissingBySandbox">Whether the sandbox stands in for any other: only where nobody relies on the answers.</param>
    /// <param name="time">For time-outs and the sandbox.</param>
    /// <param name="logger">Told which providers the sandbox stands in for.</param>
    public Upstreams(
        IReadOnlyDictionary<string, ProviderOptions> configured,
        bool serveMissingBySandbox,
        TimeProvider time,
        ILogger<Upstreams> logger
    )
    {
        ArgumentNullException.ThrowIfNull(configured);
        (_serveMissingBySandbox, _time, _logger) = (serveMissingBySandbox, time, logger);

        // Built in: whoever does not want its models takes them off the card.
        _providers[ProviderOptions.SandboxName] = new SandboxProvider(ProviderOptions.SandboxFor(ProviderOptions.SandboxName), time);
        foreach (var options in configured.Values)
            _providers[options.Name] =
                options.Kind == ProviderKind.Sandbox ? new SandboxProvider(options, time) : new HttpProvider(options, time);
    }

    /// <summary>The provider of a name; null where none is configured.</summary>
    public IProvider? Find(string provider) =>
        // The names are those of rate cards, so there are only so many.
        _providers.GetOrAdd(provider, Missing);

    /// <summary>Says in the log which providers of a card are served by the sandbox, or not at all; each once.</summary>
    public void Announce(RateCardDocument card)
    {
        ArgumentNullException.ThrowIfNull(card);
        foreach (var name in card.Models.Select(model => model.Provider).Distinct(StringComparer.OrdinalIgnoreCase))
            Find(name);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var provider in _providers.Values.OfType<IDisposable>())
            provider.Dispose();
    }

    private SandboxProvider? Missing(string name)
    {
        if (!_serveMissingBySandbox)
        {
            LogMissing(_logger, name);
            return null;
        }

        LogServedBySandbox(_logger, name);
        return new(ProviderOptions.SandboxFor(name), _time);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "The provider {Provider} of the rate card is not configured: the sandbox answers for it. Providers:{Provider}:Kind configures it."
    )]
    private static partial void LogServedBySandbox(ILogger logger, string provider);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The provider {Provider} of the rate card is not configured: calls of its models are refused. Providers:{Provider}:Kind configures it."
    )]
    private static partial void LogMissing(ILogger logger, string provider);
}
