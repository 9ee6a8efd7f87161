using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Polly.CircuitBreaker;

namespace Ledger.Api.Gateway.Providers;

/// <summary>What the gateway tells OpenTelemetry about providers: meter <c>Ledger.Gateway</c>.</summary>
public sealed class UpstreamMetrics : IDisposable
{
    /// <summary>The name of the meter.</summary>
    public const string Name = "Ledger.Gateway";

    private readonly Meter _meter;
    private readonly Counter<long> _attempts;
    private readonly Histogram<double> _firstByte;
    private readonly ConcurrentDictionary<(string Provider, string Model), CircuitBreakerStateProvider> _breakers = new();

    /// <summary>Makes the instruments.</summary>
    /// <param name="factory">The host's factory.</param>
    public UpstreamMetrics(IMeterFactory factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        _meter = factory.Create(Name);
        _attempts = _meter.CreateCounter<long>(
            "ledger.gateway.upstream.attempts",
            "{attempt}",
            "Attempts to have a provider answer, by provider, model and outcome."
        );
        _firstByte = _meter.CreateHistogram(
            "ledger.gateway.upstream.first_byte",
            "s",
            "From sending a request to the first byte of the answer's body, of attempts that were served.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
            }
        );
        _meter.CreateObservableGauge(
            "ledger.gateway.upstream.breaker",
            () =>
                _breakers.Select(breaker => new Measurement<int>(
                    Number(breaker.Value.CircuitState),
                    Tag("provider", breaker.Key.Provider),
                    Tag("model", breaker.Key.Model)
                )),
            "{state}",
            "Whether a provider's model is asked: 0 as always, 1 on trial, 2 not for the moment."
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    internal void Attempted(string provider, string model, string outcome) =>
        _attempts.Add(1, Tag("provider", provider), Tag("model", model), Tag("outcome", outcome));

    internal void Served(string provider, string model, TimeSpan firstByte) =>
        _firstByte.Record(firstByte.TotalSeconds, Tag("provider", provider), Tag("model", model));

    internal void Watch(string provider, string model, CircuitBreakerStateProvider breaker) => _breakers[(provider, model)] = breaker;

    private static int Number(CircuitState state) =>
        state switch
        {
            CircuitState.Closed => 0,
            CircuitState.HalfOpen => 1,
            CircuitState.Open or CircuitState.Isolated => 2,
        };

    private static KeyValuePair<string, object?> Tag(string name, object value) => new(name, value);
}
