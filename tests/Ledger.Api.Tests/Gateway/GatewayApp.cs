using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway;

/// <summary>An application whose providers <c>openai</c> and <c>anthropic</c> are one local stand-in, with a rate card whose numbers are easy to follow.</summary>
public sealed class GatewayApp : IAsyncDisposable
{
    /// <summary>Dollars per million: input 1, output 2, cache read 0.1, cache write 1.25, for an hour 2.</summary>
    public const string OpenAiModel = "openai/plain";

    /// <summary>The same prices, at the provider that speaks Anthropic's protocol.</summary>
    public const string AnthropicModel = "anthropic/plain";

    /// <summary>Falls back from <see cref="OpenAiModel"/>'s provider to the other one, at twice the price.</summary>
    public const string FallingModel = "openai/falling";

    private GatewayApp(LedgerApp app, StandInUpstream upstream) => (App, Upstream) = (app, upstream);

    /// <summary>The server.</summary>
    public LedgerApp App { get; }

    /// <summary>The provider.</summary>
    public StandInUpstream Upstream { get; }

    /// <summary>Starts both.</summary>
    /// <param name="onKestrel">Whether the server listens on a real port.</param>
    /// <param name="database">Its database; a new one where null.</param>
    /// <param name="upstream">The provider; a new one where null.</param>
    /// <param name="clock">Its clock; a new one where null.</param>
    /// <param name="settings">Configuration beside the usual.</param>
    public static async Task<GatewayApp> StartAsync(
        bool onKestrel = false,
        string? database = null,
        StandInUpstream? upstream = null,
        FixedClock? clock = null,
        IReadOnlyDictionary<string, string>? settings = null
    )
    {
        upstream ??= await StandInUpstream.StartAsync();
        var all = new Dictionary<string, string>(settings ?? new Dictionary<string, string>());
        foreach (var (name, value) in upstream.SettingsFor("openai").Concat(upstream.SettingsFor("anthropic", "anthropic")))
            all.TryAdd(name, value);
        var card = Path.Combine(AppContext.BaseDirectory, "Gateway", "rate-card.json");
        all.TryAdd("Ledger:RateCard", card);
        return new(await LedgerApp.StartAsync(database, clock, onKestrel, all), upstream);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Upstream.DisposeAsync();
    }
}
