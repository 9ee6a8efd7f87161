using System.Text.Json;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway.Providers;

/// <summary>
/// A deterministic model in this process: it answers with what it was told, so that every inference route works on a fresh machine with no key. Its
/// models' names ask for trouble: see <c>docs/reference/providers.md</c>.
/// </summary>
/// <param name="options">Its name, and how long <c>slow</c> takes for a word.</param>
/// <param name="time">For the pauses of <c>slow</c>, and when answers were created.</param>
public sealed class SandboxProvider(ProviderOptions options, TimeProvider time) : IProvider
{
    /// <inheritdoc/>
    public string Name => options.Name;

    /// <inheritdoc/>
    /// <remarks>None: whatever it is asked again, it answers the same.</remarks>
    public int Retries => 0;

    /// <inheritdoc/>
    public Protocol SpeaksFor(Protocol asked) => asked;

    /// <inheritdoc/>
    public Task<UpstreamAnswer> SendAsync(UpstreamRequest request, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        ct.ThrowIfCancellationRequested();
        ISandboxDialect dialect = request.Protocol switch
        {
            Protocol.OpenAi => new OpenAiSandbox(),
            Protocol.Anthropic => new AnthropicSandbox(),
        };
        SandboxAsk ask;
        try
        {
            ask = SandboxAsk.Read(request.Body, request.Protocol);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Task.FromResult(Error(dialect, 400, "The body is not a request of this protocol."));
        }

        return Task.FromResult(
            ask.Model switch
            {
                "error-500" => Error(dialect, 500, "The sandbox failed, as its model's name asks for."),
                "error-429" => Error(
                    dialect,
                    429,
                    "The sandbox has too many requests, as its model's name asks for.",
                    TimeSpan.FromSeconds(1)
                ),
                "error-529" => Error(dialect, 529, "The sandbox is overloaded, as its model's name asks for."),
                "refuse" => Error(dialect, 400, "The sandbox refuses the content, as its model's name asks for."),
                _ => Answer(dialect, ask, SandboxReply.To(ask, time.GetUtcNow())),
            }
        );
    }

    private UpstreamAnswer Answer(ISandboxDialect dialect, SandboxAsk ask, SandboxReply reply)
    {
        var isCut = ask.Model == "cut-mid-stream";
        var delay = ask.Model == "slow" ? options.Delay : TimeSpan.Zero;
        if (ask.IsStream)
        {
            var frames = dialect.Stream(ask, reply);
            return new(200, new SandboxBody(isCut ? Half(frames) : frames, isCut, delay, time), isEventStream: true);
        }

        var whole = dialect.Whole(ask, reply);
        return new(200, new SandboxBody([isCut ? whole[..(whole.Length / 2)] : whole], isCut, delay, time), isEventStream: false);
    }

    private UpstreamAnswer Error(ISandboxDialect dialect, int status, string message, TimeSpan? retryAfter = null) =>
        new(status, new SandboxBody([dialect.Error(status, message)], isCut: false, TimeSpan.Zero, time), isEventStream: false, retryAfter);

    private static List<byte[]> Half(IEnumerable<byte[]> frames)
    {
        var all = frames.ToList();
        return all[..((all.Count + 1) / 2)];
    }
}

/// <summary>How an answer of the sandbox is written in one protocol.</summary>
internal interface ISandboxDialect
{
    /// <summary>The whole answer.</summary>
    byte[] Whole(SandboxAsk ask, SandboxReply reply);

    /// <summary>The same as server-sent events, word by word.</summary>
    IEnumerable<byte[]> Stream(SandboxAsk ask, SandboxReply reply);

    /// <summary>An error.</summary>
    byte[] Error(int status, string message);
}

/// <summary>A body in memory that comes frame by frame, as slowly as asked for.</summary>
internal sealed class SandboxBody(IEnumerable<byte[]> frames, bool isCut, TimeSpan delay, TimeProvider time) : ReadOnlyStream
{
    private readonly IEnumerator<byte[]> _frames = frames.GetEnumerator();
    private ReadOnlyMemory<byte> _rest;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_rest.IsEmpty)
        {
            if (!_frames.MoveNext())
                return isCut ? throw new IOException("The sandbox cut the answer, as its model's name asks for.") : 0;
            if (delay > TimeSpan.Zero)
                await Task.Delay(delay, time, cancellationToken);
            _rest = _frames.Current;
        }

        var length = Math.Min(_rest.Length, buffer.Length);
        _rest[..length].CopyTo(buffer);
        _rest = _rest[length..];
        return length;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _frames.Dispose();
        base.Dispose(disposing);
    }
}
