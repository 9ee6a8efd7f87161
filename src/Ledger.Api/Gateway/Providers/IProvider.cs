using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway.Providers;

/// <summary>Whoever answers inference calls: over HTTP, or in this process.</summary>
public interface IProvider
{
    /// <summary>What the rate card names it.</summary>
    string Name { get; }

    /// <summary>How often a request that may pass is tried again before the next entry of the chain is.</summary>
    int Retries => 0;

    /// <summary>The protocol to speak with it where a caller speaks <paramref name="asked"/>.</summary>
    Protocol SpeaksFor(Protocol asked);

    /// <summary>Sends one request, once, and comes back with the head of the answer.</summary>
    /// <exception cref="UpstreamException">No answer came: it could not be reached, or took too long.</exception>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    Task<UpstreamAnswer> SendAsync(UpstreamRequest request, CancellationToken ct);
}

/// <summary>What a provider is asked.</summary>
/// <param name="Protocol">The protocol of the body.</param>
/// <param name="Body">The body, as it goes out; it must not change until the answer has come, for it may be sent several times.</param>
/// <param name="IsStream">Whether the body asks for an event stream.</param>
/// <param name="Headers">What of the caller's headers travels on, see <see cref="ForwardedHeaders"/>; others are not sent.</param>
/// <param name="RequestId">Our name for the request, for the provider's support.</param>
public sealed record UpstreamRequest(
    Protocol Protocol,
    ReadOnlyMemory<byte> Body,
    bool IsStream,
    IReadOnlyList<KeyValuePair<string, string>> Headers,
    string RequestId
);

/// <summary>The head of a provider's answer, and its body as it comes.</summary>
public sealed class UpstreamAnswer : IAsyncDisposable
{
    private readonly IDisposable? _owner;

    /// <summary>Makes one.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="body">The body.</param>
    /// <param name="isEventStream">Whether the body is server-sent events.</param>
    /// <param name="retryAfter">How long the provider wants us to wait.</param>
    /// <param name="owner">What else ends with the answer.</param>
    public UpstreamAnswer(int status, Stream body, bool isEventStream, TimeSpan? retryAfter = null, IDisposable? owner = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        (Status, Body, IsEventStream, RetryAfter, _owner) = (status, body, isEventStream, retryAfter, owner);
    }

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>How long the provider wants us to wait before the next attempt.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>Whether the provider says that another attempt would come to the same (<c>x-should-retry: false</c>).</summary>
    public bool IsFinal { get; init; }

    /// <summary>The provider's own name for the request, for logs.</summary>
    public string? ProviderRequestId { get; init; }

    /// <summary>The body. Reading throws <see cref="IOException"/> where it is cut, or nothing comes for too long.</summary>
    public Stream Body { get; private set; }

    /// <summary>Whether the body is server-sent events.</summary>
    public bool IsEventStream { get; }

    /// <summary>Puts back what was read ahead.</summary>
    internal void Replay(ReadOnlyMemory<byte> first) => Body = new ReplayStream(first, Body);

    /// <summary>Ends the answer; where it has not come to its end, the provider is told to stop.</summary>
    public async ValueTask DisposeAsync()
    {
        await Body.DisposeAsync();
        _owner?.Dispose();
    }
}

/// <summary>No answer came from a provider.</summary>
/// <param name="message">Why, without secrets.</param>
/// <param name="inner">What went wrong underneath.</param>
public sealed class UpstreamException(string message, Exception? inner = null) : Exception(message, inner);
