using System.Diagnostics;
using System.Diagnostics.Metrics;
using Ledger.Api.Gateway.Calls;
using Ledger.Domain.Metering;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Gateway;

/// <summary>
/// What calls tell OpenTelemetry: meter and activity source <c>Ledger.Gateway</c>, by the names of its conventions for generative AI. No prompt and no
/// answer is among it.
/// </summary>
internal sealed class GatewayMetrics
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Ledger.Gateway";

    private static readonly ActivitySource Activities = new(Name);

    private readonly Histogram<long> _tokens;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstByte;
    private readonly Counter<long> _calls;

    /// <summary>Makes the instruments.</summary>
    public GatewayMetrics(IMeterFactory factory, LiveCalls live)
    {
        ArgumentNullException.ThrowIfNull(factory);
        var meter = factory.Create(Name);
        _tokens = meter.CreateHistogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a call, by type.",
            advice: new InstrumentAdvice<long>
            {
                HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
            }
        );
        _duration = meter.CreateHistogram(
            "gen_ai.client.operation.duration",
            "s",
            "From asking a provider to the end of its answer, or to its failure.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
            }
        );
        _firstByte = meter.CreateHistogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "From asking a provider to the first byte of its answer.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
            }
        );
        _calls = meter.CreateCounter<long>("ledger.gateway.calls", "{call}", "Calls whose hold was placed, by route and how they ended.");
        meter.CreateObservableGauge("ledger.gateway.calls.live", () => live.Count, "{call}", "Calls under way.");
    }

    /// <summary>Starts the span of a call.</summary>
    public static Activity? Start(LiveCall call)
    {
        var activity = Activities.StartActivity("chat " + call.Hold.Call!.Asked, ActivityKind.Client);
        if (activity is null)
            return null;
        activity.SetTag("gen_ai.operation.name", "chat");
        activity.SetTag("gen_ai.request.model", call.Hold.Call.Asked);
        activity.SetTag("gen_ai.request.max_tokens", call.Hold.Call.MaxOutput);
        activity.SetTag("ledger.hold.id", call.Id.ToString());
        return activity;
    }

    /// <summary>A call was served.</summary>
    public void Served(LiveCall call, CallRecord record, Activity? activity)
    {
        var tags = new TagList
        {
            { "gen_ai.operation.name", "chat" },
            { "gen_ai.provider.name", record.Provider },
            { "gen_ai.request.model", ModelOf(call) },
            { "gen_ai.response.model", record.Model },
        };
        var isCut = record.Outcome == CallOutcome.UpstreamCut;
        _duration.Record(record.LatencyMs / 1000d, isCut ? [.. tags, new("error.type", Wire(record.Outcome))] : tags);
        if (record.FirstByteMs is { } first)
            _firstByte.Record(first / 1000d, tags);
        _tokens.Record(record.Tokens.AllInput, [.. tags, new("gen_ai.token.type", "input")]);
        _tokens.Record(record.Tokens.Output, [.. tags, new("gen_ai.token.type", "output")]);
        Count(call, Wire(record.Outcome));
        if (activity is null)
            return;
        activity.SetTag("gen_ai.response.model", record.Model);
        activity.SetTag("gen_ai.usage.input_tokens", record.Tokens.AllInput);
        activity.SetTag("gen_ai.usage.output_tokens", record.Tokens.Output);
        activity.SetTag("gen_ai.usage.cache_read.input_tokens", record.Tokens.CacheRead);
        activity.SetTag("gen_ai.usage.cache_creation.input_tokens", record.Tokens.CacheWrite + record.Tokens.CacheWrite1h);
        activity.SetTag("ledger.call.outcome", Wire(record.Outcome));
        if (!isCut)
            return;
        activity.SetTag("error.type", Wire(record.Outcome));
        activity.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>A call was not served, and cost nothing.</summary>
    /// <param name="call">The call.</param>
    /// <param name="answering">The model whose answer had begun; null where none had, and the first of the chain stands for it.</param>
    /// <param name="why">What it came to.</param>
    /// <param name="elapsedMs">How long that took, in milliseconds.</param>
    /// <param name="activity">Its span, where somebody listens.</param>
    public void NotServed(LiveCall call, PricedModel? answering, string why, long elapsedMs, Activity? activity)
    {
        Count(call, why);
        _duration.Record(
            elapsedMs / 1000d,
            new TagList
            {
                { "gen_ai.operation.name", "chat" },
                { "gen_ai.provider.name", answering?.Provider ?? (call.Models is [var first, ..] ? first.Provider : "unknown") },
                { "gen_ai.request.model", ModelOf(call) },
                { "error.type", why },
            }
        );
        if (activity is null)
            return;
        activity.SetTag("ledger.call.outcome", why);
        activity.SetTag("error.type", why);
        activity.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>An outcome in snake case.</summary>
    public static string Wire(CallOutcome outcome) =>
        outcome switch
        {
            CallOutcome.Completed => "completed",
            CallOutcome.Length => "length",
            CallOutcome.ContentFilter => "content_filter",
            CallOutcome.CallerGone => "caller_gone",
            CallOutcome.CallerGoneCut => "caller_gone_cut",
            CallOutcome.UpstreamCut => "upstream_cut",
        };

    private void Count(LiveCall call, string outcome) =>
        _calls.Add(1, new KeyValuePair<string, object?>("ledger.route", call.Hold.Tool), new("ledger.call.outcome", outcome));

    // Names that callers make up, as a pattern lets them, would be a series each.
    private static string ModelOf(LiveCall call) =>
        call.Card.Models.Resolve(call.Hold.Call!.Asked) is { } model ? ModelDirectory.NameOf(model) : "unknown";
}
