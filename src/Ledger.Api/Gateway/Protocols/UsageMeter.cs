using System.Text;
using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What one answer used: what its provider reports, and what was delivered in case it does not.</summary>
/// <remarks>
/// OpenAI's <c>prompt_tokens</c> include what was read from a cache, Anthropic's <c>input_tokens</c> exclude it. Reports within a stream are cumulative: the last
/// one counts, member by member. A report with a figure that cannot be is none.
/// </remarks>
internal sealed class UsageMeter(CallRequest request)
{
    private const int MaxRaw = 2048;
    private byte[]? _raw;
    private long _delivered;
    private long? _input;
    private long? _output;
    private long? _cacheRead;
    private long? _cacheWrite;
    private long? _fiveMinutes;
    private long? _oneHour;
    private bool _isFinal;

    /// <summary>How the answer ended.</summary>
    public CallOutcome Outcome { get; set; }

    /// <summary>What is known by now.</summary>
    public UsageReport Report
    {
        get
        {
            var raw = _raw is { Length: <= MaxRaw } ? Encoding.UTF8.GetString(_raw) : null;
            var isReported = _isFinal && _input is not null && _output is not null;
            var oneHour = _oneHour ?? 0;
            return new(
                new(
                    _input ?? request.HeuristicInput,
                    _cacheRead ?? 0,
                    Math.Max(_fiveMinutes ?? 0, (_cacheWrite ?? 0) - oneHour),
                    oneHour,
                    _isFinal && _output is { } output ? output : TokenCount.Likely(_delivered)
                ),
                isReported,
                raw,
                Outcome
            );
        }
    }

    /// <summary>So many bytes of text, thoughts or arguments were delivered.</summary>
    public void Deliver(long bytes) => _delivered += bytes;

    /// <summary>Takes a <c>usage</c> of OpenAI's protocol.</summary>
    public void TakeOpenAi(ReadOnlySpan<byte> usage)
    {
        _raw = usage.ToArray();
        var json = new Utf8JsonReader(usage);
        var figures = new Figures();
        long? prompt = null;
        long? completion = null;
        long? cached = null;
        long? hits = null;
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("prompt_tokens"u8))
                prompt = figures.Read(ref json);
            else if (json.ValueTextEquals("completion_tokens"u8))
                completion = figures.Read(ref json);
            else if (json.ValueTextEquals("prompt_cache_hit_tokens"u8))
                hits = figures.Read(ref json);
            else if (json.ValueTextEquals("prompt_tokens_details"u8))
                cached = figures.ReadMember(ref json, "cached_tokens"u8);
            else
                json.Skip();
        }

        if (figures.IsAbsurd || prompt is null || completion is null)
            return;

        // DeepSeek's own name for it, where it does not give OpenAI's.
        _cacheRead = cached ?? hits ?? 0;
        _input = Math.Max(0, prompt.Value - _cacheRead.Value);
        _output = completion;
        _isFinal = true;
    }

    /// <summary>Takes a <c>usage</c> of Anthropic's protocol.</summary>
    /// <param name="usage">The object.</param>
    /// <param name="isFinal">Whether its output is what was put out: a stream begins with a placeholder.</param>
    public void TakeAnthropic(ReadOnlySpan<byte> usage, bool isFinal)
    {
        _raw = usage.ToArray();
        var json = new Utf8JsonReader(usage);
        var figures = new Figures();
        long? input = null;
        long? output = null;
        long? read = null;
        long? write = null;
        long? fiveMinutes = null;
        long? oneHour = null;
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("input_tokens"u8))
                input = figures.Read(ref json);
            else if (json.ValueTextEquals("output_tokens"u8))
                output = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_read_input_tokens"u8))
                read = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_creation_input_tokens"u8))
                write = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_creation"u8))
            {
                var split = json;
                fiveMinutes = figures.ReadMember(ref split, "ephemeral_5m_input_tokens"u8);
                oneHour = figures.ReadMember(ref json, "ephemeral_1h_input_tokens"u8);
            }
            else
            {
                json.Skip();
            }
        }

        if (figures.IsAbsurd)
            return;
        _input = input ?? _input;
        _output = output ?? _output;
        _cacheRead = read ?? _cacheRead;
        _cacheWrite = write ?? _cacheWrite;
        _fiveMinutes = fiveMinutes ?? _fiveMinutes;
        _oneHour = oneHour ?? _oneHour;
        _isFinal |= isFinal && output is not null;
    }

    /// <summary>Figures of one report.</summary>
    private ref struct Figures
    {
        /// <summary>Whether one of them cannot be.</summary>
        public bool IsAbsurd { get; private set; }

        /// <summary>The value behind a name; null where it is null.</summary>
        public long? Read(ref Utf8JsonReader json)
        {
            json.Read();
            if (json.TokenType == JsonTokenType.Null)
                return null;
            var figure = JsonSlices.Whole(ref json);
            IsAbsurd |= figure is null or > TokenUse.Max;
            json.Skip();
            return figure;
        }

        /// <summary>A figure within the object behind a name.</summary>
        public long? ReadMember(ref Utf8JsonReader json, ReadOnlySpan<byte> name)
        {
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject)
            {
                json.Skip();
                return null;
            }

            long? figure = null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                if (json.ValueTextEquals(name))
                    figure = Read(ref json);
                else
                    json.Skip();
            }

            return figure;
        }
    }
}
