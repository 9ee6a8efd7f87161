using System.Text;
using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What one answer used: what its provider reports, and what was delivered in case it does not.</summary>
/// <remarks>
/// OpenAI's <c>prompt_tokens</c> include what was read from a cache, Anthropic's <c>input_tokens</c> exclude it. Reports within a stream are cumulative: the last
/// one counts, member by member. A report with a figure that cannot be is none. Where an answer of Anthropic's took several passes, such as one that compacts the
/// context first, <c>iterations</c> lists them all and the figures beside it leave some of them out, although they are billed.
/// </remarks>
internal sealed class UsageMeter(CallRequest request)
{
    /// <summary>The most of the reports that is kept, in bytes.</summary>
    public const int MaxRaw = 8192;

    private readonly List<(Figure Set, byte[] Raw)> _reports = new(2);
    private byte[]? _unusable;
    private long _delivered;
    private long? _input;
    private long? _output;
    private long? _cacheRead;
    private long? _cacheWrite;
    private long? _fiveMinutes;
    private long? _oneHour;
    private TokenUse _passes;
    private bool _isFinal;

    /// <summary>How the answer ended.</summary>
    public CallOutcome Outcome { get; set; }

    /// <summary>What is known by now.</summary>
    public UsageReport Report
    {
        get
        {
            var raw = Raw(out var isCut);
            var isInputCounted = _input is null && _passes.Input == 0;
            var isReported = _isFinal && _input is not null && _output is not null;
            var oneHour = Math.Max(_oneHour ?? 0, _passes.CacheWrite1h);
            var writes = Math.Max(Writes(_cacheWrite, _fiveMinutes, _oneHour), _passes.CacheWrite + _passes.CacheWrite1h);
            return new(
                new(
                    isInputCounted ? request.HeuristicInput : Math.Max(_input ?? 0, _passes.Input),
                    Math.Max(_cacheRead ?? 0, _passes.CacheRead),
                    writes - oneHour,
                    oneHour,
                    _isFinal && _output is { } output ? Math.Max(output, _passes.Output) : TokenCount.Likely(_delivered)
                ),
                isReported,
                raw,
                Outcome,
                isInputCounted,
                isCut
            );
        }
    }

    /// <summary>So many bytes of text, thoughts or arguments were delivered.</summary>
    public void Deliver(long bytes) => _delivered += bytes;

    /// <summary>Takes a <c>usage</c> of OpenAI's protocol.</summary>
    public void TakeOpenAi(ReadOnlySpan<byte> usage)
    {
        var json = new Utf8JsonReader(usage);
        var figures = new Figures();
        long? prompt = null;
        long? completion = null;
        long? total = null;
        long? cached = null;
        long? hits = null;
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("prompt_tokens"u8))
                prompt = figures.Read(ref json);
            else if (json.ValueTextEquals("completion_tokens"u8))
                completion = figures.Read(ref json);
            else if (json.ValueTextEquals("total_tokens"u8))
                total = new Figures().Read(ref json);
            else if (json.ValueTextEquals("prompt_cache_hit_tokens"u8))
                hits = figures.Read(ref json);
            else if (json.ValueTextEquals("prompt_tokens_details"u8))
                cached = figures.ReadMember(ref json, "cached_tokens"u8);
            else
                json.Skip();
        }

        if (figures.IsAbsurd || prompt is null || completion is null)
        {
            _unusable = usage.ToArray();
            return;
        }

        Keep(usage, Figure.All);

        // DeepSeek's own name for it, where it does not give OpenAI's.
        _cacheRead = cached ?? hits ?? 0;
        _input = Math.Max(0, prompt.Value - _cacheRead.Value);

        // Some providers leave the tokens of reasoning out of the completion's, and bill them: the total has them.
        _output = total is <= TokenUse.Max ? Math.Max(completion.Value, total.Value - prompt.Value) : completion;
        _isFinal = true;
    }

    /// <summary>Takes a <c>usage</c> of Anthropic's protocol.</summary>
    /// <param name="usage">The object.</param>
    /// <param name="isFinal">Whether its output is what was put out: a stream begins with a placeholder.</param>
    public void TakeAnthropic(ReadOnlySpan<byte> usage, bool isFinal)
    {
        var json = new Utf8JsonReader(usage);
        var figures = new Figures();
        json.Read();
        var (pass, passes) = ReadPass(ref json, ref figures, isWhole: true);
        var set = SetBy(pass, passes);
        if (figures.IsAbsurd || set == Figure.None)
        {
            _unusable = usage.ToArray();
            return;
        }

        Keep(usage, set);
        _input = pass.Input ?? _input;
        _output = pass.Output ?? _output;
        _cacheRead = pass.Read ?? _cacheRead;
        _cacheWrite = pass.Write ?? _cacheWrite;
        _fiveMinutes = pass.FiveMinutes ?? _fiveMinutes;
        _oneHour = pass.OneHour ?? _oneHour;
        _passes = passes ?? _passes;
        _isFinal |= isFinal && pass.Output is not null;
    }

    /// <summary>Keeps a report, and lets go of those of which it leaves no figure standing: a stream may report with every chunk.</summary>
    private void Keep(ReadOnlySpan<byte> usage, Figure set)
    {
        for (var i = _reports.Count - 1; i >= 0; i--)
        {
            var left = _reports[i].Set & ~set;
            if (left == Figure.None)
                _reports.RemoveAt(i);
            else
                _reports[i] = (left, _reports[i].Raw);
        }

        _reports.Add((set, usage.ToArray()));
    }

    private string? Raw(out bool isCut)
    {
        var raw = _reports switch
        {
            [] => _unusable ?? [],
            [var (_, only)] => only,
            _ => Joined(),
        };
        isCut = raw.Length > MaxRaw;
        var end = Math.Min(raw.Length, MaxRaw);

        // Not in the middle of a character.
        while (isCut && (raw[end] & 0xC0) == 0x80)
            end--;
        return end == 0 ? null : Encoding.UTF8.GetString(raw, 0, end);
    }

    private byte[] Joined()
    {
        var all = new List<byte>();
        foreach (var (_, raw) in _reports)
        {
            all.Add(all.Count == 0 ? (byte)'[' : (byte)',');
            all.AddRange(raw);
        }

        all.Add((byte)']');
        return [.. all];
    }

    private static Figure SetBy(in Pass pass, TokenUse? passes) =>
        (pass.Input is null ? Figure.None : Figure.Input)
        | (pass.Output is null ? Figure.None : Figure.Output)
        | (pass.Read is null ? Figure.None : Figure.CacheRead)
        | (pass.Write is null ? Figure.None : Figure.CacheWrite)
        | (pass.FiveMinutes is null ? Figure.None : Figure.FiveMinutes)
        | (pass.OneHour is null ? Figure.None : Figure.OneHour)
        | (passes is null ? Figure.None : Figure.Passes);

    /// <summary>The figures of an object that the reader stands before, and the sum of the passes that it lists.</summary>
    private static (Pass Figures, TokenUse? Passes) ReadPass(ref Utf8JsonReader json, ref Figures figures, bool isWhole)
    {
        var pass = new Pass();
        TokenUse? passes = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("input_tokens"u8))
                pass.Input = figures.Read(ref json);
            else if (json.ValueTextEquals("output_tokens"u8))
                pass.Output = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_read_input_tokens"u8))
                pass.Read = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_creation_input_tokens"u8))
                pass.Write = figures.Read(ref json);
            else if (json.ValueTextEquals("cache_creation"u8))
            {
                var split = json;
                pass.FiveMinutes = figures.ReadMember(ref split, "ephemeral_5m_input_tokens"u8);
                pass.OneHour = figures.ReadMember(ref json, "ephemeral_1h_input_tokens"u8);
            }
            else if (isWhole && json.ValueTextEquals("iterations"u8))
                passes = ReadPasses(ref json, ref figures) ?? passes;
            else
                json.Skip();
        }

        return (pass, passes);
    }

    /// <summary>The sum of all passes behind a name; null where there is no array.</summary>
    private static TokenUse? ReadPasses(ref Utf8JsonReader json, ref Figures figures)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return null;
        }

        var sum = new TokenUse();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.StartObject)
            {
                json.Skip();
                continue;
            }

            var (pass, _) = ReadPass(ref json, ref figures, isWhole: false);
            var oneHour = pass.OneHour ?? 0;
            sum = new(
                figures.Add(sum.Input, pass.Input ?? 0),
                figures.Add(sum.CacheRead, pass.Read ?? 0),
                figures.Add(sum.CacheWrite, Writes(pass.Write, pass.FiveMinutes, pass.OneHour) - oneHour),
                figures.Add(sum.CacheWrite1h, oneHour),
                figures.Add(sum.Output, pass.Output ?? 0)
            );
        }

        return sum;
    }

    // What the whole has beyond its split was written for five minutes.
    private static long Writes(long? all, long? fiveMinutes, long? oneHour) => Math.Max((fiveMinutes ?? 0) + (oneHour ?? 0), all ?? 0);

    /// <summary>Which figures a report has set.</summary>
    [Flags]
    private enum Figure
    {
        None = 0,
        Input = 1,
        Output = 2,
        CacheRead = 4,
        CacheWrite = 8,
        FiveMinutes = 16,
        OneHour = 32,
        Passes = 64,
        All = 127,
    }

    /// <summary>What Anthropic says of an answer, or of one pass of several.</summary>
    private struct Pass
    {
        public long? Input;
        public long? Output;
        public long? Read;
        public long? Write;
        public long? FiveMinutes;
        public long? OneHour;
    }

    /// <summary>Figures of one report.</summary>
    private ref struct Figures
    {
        /// <summary>Whether one of them cannot be.</summary>
        public bool IsAbsurd { get; private set; }

        /// <summary>One more figure; a sum may be no more than a figure.</summary>
        public long Add(long sum, long figure)
        {
            IsAbsurd |= sum > TokenUse.Max - figure;
            return IsAbsurd ? sum : sum + figure;
        }

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
