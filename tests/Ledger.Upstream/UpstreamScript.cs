using System.Text;

namespace Ledger.Upstream;

/// <summary>Tokens as a test thinks of them, in disjoint classes; each protocol's own sums are made from them.</summary>
/// <param name="Input">Fresh input.</param>
/// <param name="Output">Output, <paramref name="Reasoning"/> included.</param>
/// <param name="CacheRead">Input read from a cache.</param>
/// <param name="CacheWrite">Input written to a cache for five minutes; OpenAI's protocol has no word for it, and counts it as input.</param>
/// <param name="CacheWrite1h">Input written to a cache for an hour.</param>
/// <param name="Reasoning">Output that is thought, not said.</param>
public sealed record UpstreamUse(
    long Input,
    long Output,
    long CacheRead = 0,
    long CacheWrite = 0,
    long CacheWrite1h = 0,
    long Reasoning = 0
);

/// <summary>Why a model stops.</summary>
public enum UpstreamFinish
{
    /// <summary>It was all.</summary>
    Done,

    /// <summary>The most tokens were reached.</summary>
    Length,

    /// <summary>A filter stopped it; <c>refusal</c> in Anthropic's protocol.</summary>
    ContentFilter,

    /// <summary>A tool is called.</summary>
    Tool,
}

/// <summary>A tool that is called.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">The tool.</param>
/// <param name="Arguments">A JSON object as text; streams give it in two parts.</param>
public sealed record UpstreamTool(string Id, string Name, string Arguments);

/// <summary>
/// What the stand-in answers, in whichever protocol it is asked, streaming or not as it is asked. Made from <see cref="Says"/>, <see cref="Refuses"/> or
/// <see cref="Sends"/>, and changed by what follows; a script never changes itself.
/// </summary>
/// <example><code>UpstreamScript.Says("Hello", " world").Using(new(12, 2)).CutAfter(1)</code></example>
public sealed record UpstreamScript
{
    private UpstreamScript() { }

    internal IReadOnlyList<string> Pieces { get; private init; } = [];
    internal UpstreamUse? Use { get; private init; } = new(10, 5);
    internal UpstreamFinish Finish { get; private init; }
    internal IReadOnlyList<UpstreamTool> Tools { get; private init; } = [];
    internal int Status { get; private init; } = 200;
    internal byte[]? Raw { get; private init; }
    internal string RawType { get; private init; } = "application/json";
    internal IReadOnlyList<KeyValuePair<string, string>> Headers { get; private init; } = [];
    internal Gate? BeforeHeaders { get; private init; }
    internal Gate? BeforeFirstByte { get; private init; }
    internal Gate? AfterComment { get; private init; }
    internal IReadOnlyDictionary<int, Gate> BeforePiece { get; private init; } = new Dictionary<int, Gate>();
    internal int? Cut { get; private init; }
    internal (int After, string Type, string Message)? Error { get; private init; }
    internal bool IsCutAtOnce { get; private init; }
    internal bool IsUsageForced { get; private init; }

    /// <summary>Answers with a text; a stream gives one piece at a time.</summary>
    public static UpstreamScript Says(params string[] pieces) => new() { Pieces = pieces };

    /// <summary>Answers with a status and an error in the protocol's shape.</summary>
    /// <param name="status">The status.</param>
    /// <param name="message">What is the matter.</param>
    /// <param name="code">OpenAI's <c>code</c>.</param>
    public static UpstreamScript Refuses(int status, string message = "No.", string? code = null) =>
        new() { Status = status, Error = (0, code ?? "", message) };

    /// <summary>Answers with these bytes.</summary>
    public static UpstreamScript Sends(int status, string body, string contentType = "application/json") =>
        new()
        {
            Status = status,
            Raw = Encoding.UTF8.GetBytes(body),
            RawType = contentType,
        };

    /// <summary>Ends the connection before a status is sent.</summary>
    public static UpstreamScript HangsUp() => new() { IsCutAtOnce = true };

    /// <summary>Reports this usage; 10 in, 5 out where nothing else is said. OpenAI's streams report it only where they are asked to.</summary>
    public UpstreamScript Using(UpstreamUse use) => this with { Use = use };

    /// <summary>Reports no usage, even where it is asked to.</summary>
    public UpstreamScript WithoutUsage() => this with { Use = null };

    /// <summary>Reports usage in OpenAI's streams even where it is not asked to.</summary>
    public UpstreamScript WithUsageUnasked() => this with { IsUsageForced = true };

    /// <summary>Stops for this reason.</summary>
    public UpstreamScript Finishing(UpstreamFinish finish) => this with { Finish = finish };

    /// <summary>Calls a tool after the text.</summary>
    public UpstreamScript Calling(string id, string name, string arguments) =>
        this with
        {
            Tools = [.. Tools, new(id, name, arguments)],
            Finish = UpstreamFinish.Tool,
        };

    /// <summary>Sends a header.</summary>
    public UpstreamScript With(string header, string value) => this with { Headers = [.. Headers, new(header, value)] };

    /// <summary>Waits at a gate before the status is sent.</summary>
    public UpstreamScript HoldHeaders(Gate gate) => this with { BeforeHeaders = gate };

    /// <summary>Waits at a gate after the status is sent, before the first byte of the body is.</summary>
    public UpstreamScript HoldFirstByte(Gate gate) => this with { BeforeFirstByte = gate };

    /// <summary>Sends a comment before anything else of a stream, and waits at a gate.</summary>
    public UpstreamScript CommentFirst(Gate gate) => this with { AfterComment = gate };

    /// <summary>Waits at a gate before a piece of a stream is sent.</summary>
    /// <param name="piece">Which, from 0; as many as there are pieces for what follows the last.</param>
    /// <param name="gate">The gate.</param>
    public UpstreamScript HoldPiece(int piece, Gate gate) =>
        this with
        {
            BeforePiece = new Dictionary<int, Gate>(BeforePiece) { [piece] = gate },
        };

    /// <summary>Cuts the connection after so many pieces of a stream; in the middle of an answer that is none.</summary>
    public UpstreamScript CutAfter(int pieces) => this with { Cut = pieces };

    /// <summary>Sends an error event after so many pieces of a stream, and ends it.</summary>
    /// <param name="pieces">How many; 0 before anything else, even before what begins a message.</param>
    /// <param name="type">Such as <c>overloaded_error</c>.</param>
    /// <param name="message">What is the matter.</param>
    public UpstreamScript FailAfter(int pieces, string type = "overloaded_error", string message = "Overloaded") =>
        this with
        {
            Error = (pieces, type, message),
        };
}
