using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>A router with stand-ins for providers, a clock that the test moves, and no jitter.</summary>
public sealed class Routing : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly List<StandInUpstream> _standIns = [];
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<string> _attempts = new();

    private Routing(IReadOnlyDictionary<string, string?> settings, bool serveMissingBySandbox, IEnumerable<StandInUpstream> standIns)
    {
        _standIns.AddRange(standIns);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        Meters = _services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, Meters))
            {
                Instruments.Add(instrument);
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>(
            (_, _, tags, _) => _attempts.Enqueue(string.Join(' ', tags.ToArray().Select(tag => tag.Value)))
        );
        _listener.SetMeasurementEventCallback<int>(
            (_, value, tags, _) => Breakers[string.Join('/', tags.ToArray().Select(tag => tag.Value))] = value
        );
        _listener.Start();
        Metrics = new(Meters);
        Upstreams = new(ProviderOptions.From(configuration), serveMissingBySandbox, Clock, new KeptLog<Upstreams>(Log));
        Router = new(Upstreams, Metrics, Clock, new KeptLog<UpstreamRouter>(Log), () => 1);
    }

    /// <summary>The clock of everything here.</summary>
    public ManualClock Clock { get; } = new();

    /// <summary>What was logged.</summary>
    public ConcurrentQueue<string> Log { get; } = new();

    public List<Instrument> Instruments { get; } = [];

    public UpstreamMetrics Metrics { get; }

    public Upstreams Upstreams { get; }

    public UpstreamRouter Router { get; }

    /// <summary>Provider, model and outcome of every attempt that was counted.</summary>
    public IReadOnlyList<string> Attempts => [.. _attempts];

    private IMeterFactory Meters { get; }

    private Dictionary<string, int> Breakers { get; } = [];

    /// <summary>One provider <c>one</c>.</summary>
    public static Task<Routing> ToAsync(StandInUpstream one, string kind = "openai", params (string Name, string Value)[] more) =>
        ToAsync([("one", kind, one)], more);

    public static Task<Routing> ToAsync(
        IEnumerable<(string Name, string Kind, StandInUpstream StandIn)> providers,
        params (string Name, string Value)[] more
    )
    {
        var all = providers.ToList();
        var settings = all.SelectMany(provider => provider.StandIn.SettingsFor(provider.Name, provider.Kind))
            .ToDictionary(setting => setting.Key, string? (setting) => setting.Value);
        foreach (var (name, value) in more)
            settings[name] = value;
        return Task.FromResult(new Routing(settings, false, all.Select(provider => provider.StandIn).Distinct()));
    }

    public static Routing With(bool serveMissingBySandbox, params (string Name, string Value)[] settings) =>
        new(settings.ToDictionary(setting => setting.Name, string? (setting) => setting.Value), serveMissingBySandbox, []);

    /// <summary>Sends a call through a chain of <c>provider/model</c>.</summary>
    public Task<UpstreamResult> SendAsync(
        string chain = "one/m",
        bool isStream = false,
        Protocol asked = Protocol.OpenAi,
        IHeaderDictionary? headers = null,
        CancellationToken ct = default
    ) =>
        Router.SendAsync(
            [.. chain.Split(' ').Select(Target)],
            (target, provider) =>
            {
                var protocol = provider.SpeaksFor(asked);
                return new(
                    protocol,
                    Body(target.Model.UpstreamModel, isStream),
                    isStream,
                    ForwardedHeaders.From(headers ?? new HeaderDictionary(), protocol),
                    "req-1"
                );
            },
            ct
        );

    public static UpstreamTarget Target(string name)
    {
        var (provider, model) = (name.Split('/')[0], name.Split('/')[1]);
        return new(provider, new(provider, model, model, new(default, default, default, default, default), 8192, 65536, []));
    }

    /// <summary>The gauge of a breaker: 0, 1 or 2; null where there is none.</summary>
    public int? Breaker(string name)
    {
        Breakers.Clear();
        _listener.RecordObservableInstruments();
        return Breakers.TryGetValue(name, out var state) ? state : null;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        Upstreams.Dispose();
        Metrics.Dispose();
        await _services.DisposeAsync();
        foreach (var standIn in _standIns)
            await standIn.DisposeAsync();
    }

    private static byte[] Body(string model, bool isStream) =>
        Encoding.UTF8.GetBytes(
            $$$"""{"model":"{{{model}}}","max_tokens":100,"stream":{{{(isStream ? "true" : "false")}}},"messages":[{"role":"user","content":"Hello there, model"}]}"""
        );
}

/// <summary>What tests ask of results.</summary>
public static class ResultAssertions
{
    public static UpstreamResult.Served ShouldBeServed(this UpstreamResult result) => result.ShouldBeOfType<UpstreamResult.Served>();

    public static UpstreamResult.Refused ShouldBeRefused(this UpstreamResult result, UpstreamRefusal kind, int? status)
    {
        var refused = result.ShouldBeOfType<UpstreamResult.Refused>();
        (refused.Kind, refused.Status).ShouldBe((kind, status));
        return refused;
    }

    /// <summary>Reads the rest of an answer, and ends it.</summary>
    public static async Task<string> ReadAsync(this UpstreamResult.Served served)
    {
        await using var answer = served.Answer;
        using var reader = new StreamReader(answer.Body);
        return await reader.ReadToEndAsync();
    }
}

internal sealed class KeptLog<T>(ConcurrentQueue<string> lines) : ILogger<T>
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    ) => lines.Enqueue($"{logLevel}: {formatter(state, exception)}{exception}");
}
