using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Testing;

/// <summary>What one application's own instruments measure, from the moment it is made.</summary>
public sealed class MeterReadings : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, Instrument> _instruments = new();
    private readonly ConcurrentQueue<(string Name, double Value, string Tags)> _measured = new();
    private readonly ConcurrentDictionary<(string Name, string Tags), double> _gauges = new();

    private MeterReadings(IServiceProvider services, string meter)
    {
        var meters = services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name != meter || !ReferenceEquals(instrument.Meter.Scope, meters))
                return;
            _instruments[instrument.Name] = instrument;
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Measure(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Measure(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Measure(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>Listens to an application.</summary>
    /// <param name="services">The application's.</param>
    /// <param name="meter">Which of its meters.</param>
    public static MeterReadings Of(IServiceProvider services, string meter = "Ledger") => new(services, meter);

    /// <summary>Every instrument that the application has made.</summary>
    public IReadOnlyCollection<Instrument> Instruments =>
        [.. _instruments.Values.OrderBy(instrument => instrument.Name, StringComparer.Ordinal)];

    /// <summary>The sum of what a counter counted, of one combination of tags or of all.</summary>
    public double Total(string name, params (string Name, object Value)[] tags) => Values(name, tags).Sum();

    /// <summary>Every single measurement of a counter or histogram.</summary>
    public IReadOnlyList<double> Values(string name, params (string Name, object Value)[] tags)
    {
        var wanted = Text(tags.Select(tag => KeyValuePair.Create(tag.Name, (object?)tag.Value)));
        return [.. _measured.Where(m => m.Name == name && (wanted.Length == 0 || m.Tags == wanted)).Select(m => m.Value)];
    }

    /// <summary>What a gauge shows now; null where it shows nothing.</summary>
    public double? Gauge(string name, params (string Name, object Value)[] tags)
    {
        lock (_listener)
        {
            _gauges.Clear();
            _listener.RecordObservableInstruments();
            var key = (name, Text(tags.Select(tag => KeyValuePair.Create(tag.Name, (object?)tag.Value))));
            return _gauges.TryGetValue(key, out var value) ? value : null;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private void Measure(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = Text(tags.ToArray());
        if (instrument.IsObservable)
            _gauges[(instrument.Name, text)] = value;
        else
            _measured.Enqueue((instrument.Name, value, text));
    }

    private static string Text(IEnumerable<KeyValuePair<string, object?>> tags) =>
        string.Join(
            ',',
            tags.OrderBy(tag => tag.Key, StringComparer.Ordinal)
                .Select(tag => string.Create(CultureInfo.InvariantCulture, $"{tag.Key}={tag.Value}"))
        );
}
