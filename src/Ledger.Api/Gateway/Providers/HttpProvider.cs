using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway.Providers;

/// <summary>A provider that is reached over HTTP, and speaks one protocol.</summary>
public sealed class HttpProvider : IProvider, IDisposable
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly ProviderOptions _options;
    private readonly TimeProvider _time;
    private readonly Protocol _protocol;
    private readonly Uri _route;
    private readonly HttpClient _http;

    /// <summary>Makes one, with connections of its own.</summary>
    /// <param name="options">Where it is, and our key there.</param>
    /// <param name="time">For time-outs.</param>
    public HttpProvider(ProviderOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        (_options, _time) = (options, time);
        var address =
            options.BaseUrl?.AbsoluteUri.TrimEnd('/')
            ?? throw new ArgumentException("A provider over HTTP has an address.", nameof(options));
        (_protocol, _route) = options.Kind switch
        {
            ProviderKind.OpenAi => (Protocol.OpenAi, new Uri(address + "/chat/completions")),
            ProviderKind.Anthropic => (Protocol.Anthropic, new Uri(address + "/v1/messages")),
            _ => throw new ArgumentException("The sandbox is not reached over HTTP.", nameof(options)),
        };
        _http = new(Connections())
        {
            Timeout = Timeout.InfiniteTimeSpan,

            // Without TLS nobody says which version the other side speaks, and a guess would break half of them.
            DefaultRequestVersion = _route.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
    }

    /// <inheritdoc/>
    public string Name => _options.Name;

    /// <inheritdoc/>
    public int Retries => _options.Retries;

    /// <inheritdoc/>
    public Protocol SpeaksFor(Protocol asked) => _protocol;

    /// <inheritdoc/>
    public async Task<UpstreamAnswer> SendAsync(UpstreamRequest request, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Protocol != _protocol)
            throw new ArgumentException($"{Name} speaks {_protocol}.", nameof(request));
        ct.ThrowIfCancellationRequested();
        var patience = new Patience(_options.Timeout, _options.Idle, _time);
        HttpResponseMessage? response = null;
        try
        {
            using var content = new LentContent(request.Body) { Headers = { ContentType = Json } };
            using var message = Write(request, content);
            response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, patience.With(ct));

            // The response and its connection keep the request for as long as it is read.
            content.LetGo();
            var body = new PatientStream(await response.Content.ReadAsStreamAsync(ct), patience);
            return new(
                (int)response.StatusCode,
                body,
                response.Content.Headers.ContentType?.MediaType == "text/event-stream",
                RetryAfterOf(response),
                response
            )
            {
                IsFinal = HeaderOf(response, "x-should-retry") == "false",
                ProviderRequestId = HeaderOf(response, "x-request-id") ?? HeaderOf(response, "request-id"),
            };
        }
        catch (Exception e)
        {
            var isOver = patience.IsOver;
            patience.Dispose();
            response?.Dispose();
            throw e switch
            {
                OperationCanceledException when ct.IsCancellationRequested => new OperationCanceledException(e.Message, e, ct),
                OperationCanceledException when isOver => new UpstreamException(patience.Reason, e),

                // The time to connect has its own limit, which shows as a cancellation too.
                OperationCanceledException or HttpRequestException or IOException => new UpstreamException(Why(e), e),
                _ => e,
            };
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Write(UpstreamRequest request, HttpContent content)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, _route)
        {
            Version = _http.DefaultRequestVersion,
            VersionPolicy = _http.DefaultVersionPolicy,
            Content = content,
        };
        var headers = message.Headers;
        headers.TryAddWithoutValidation("Accept", request.IsStream ? "text/event-stream" : "application/json");
        headers.TryAddWithoutValidation("User-Agent", "Ledger");
        headers.TryAddWithoutValidation("x-client-request-id", request.RequestId);

        // Once more here: whoever builds a request may err, and a caller's key must not travel.
        foreach (var header in request.Headers.Where(header => ForwardedHeaders.MayTravel(header, _protocol)))
            headers.TryAddWithoutValidation(header.Key, header.Value);
        if (_protocol == Protocol.Anthropic && !headers.Contains(ForwardedHeaders.AnthropicVersion))
            headers.TryAddWithoutValidation(ForwardedHeaders.AnthropicVersion, ForwardedHeaders.DefaultAnthropicVersion);
        if (_options.ApiKey.Length > 0)
        {
            if (_protocol == Protocol.Anthropic)
                headers.TryAddWithoutValidation("x-api-key", _options.ApiKey);
            else
                headers.Authorization = new("Bearer", _options.ApiKey);
        }

        return message;
    }

    private static SocketsHttpHandler Connections() =>
        new()
        {
            // The key goes to this provider and nowhere else, and nothing of one caller's to the next one's request.
            AllowAutoRedirect = false,
            UseCookies = false,
            PreAuthenticate = false,
            DefaultProxyCredentials = null,
            ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),

            // Compressed streams come late: the other side waits until there is enough to compress.
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            EnableMultipleHttp2Connections = true,

            // Addresses behind a name change.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,

            // A stream that nobody reads any more costs as long as it is read.
            ResponseDrainTimeout = TimeSpan.FromMilliseconds(250),
        };

    private TimeSpan? RetryAfterOf(HttpResponseMessage response)
    {
        if (
            HeaderOf(response, "retry-after-ms") is { } text
            && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds <= 86_400_000
        )
            return TimeSpan.FromMilliseconds(milliseconds);
        var after = response.Headers.RetryAfter?.Delta ?? response.Headers.RetryAfter?.Date - _time.GetUtcNow();
        return after is { } wait ? TimeSpan.FromTicks(Math.Max(wait.Ticks, 0)) : null;
    }

    private static string? HeaderOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    // An exception's own words name our address and the other side's; the kind is enough for a log.
    private static string Why(Exception e) =>
        e switch
        {
            HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } request => request.HttpRequestError.ToString(),
            OperationCanceledException => "it could not be reached in time",
            _ => e.GetType().Name,
        };

    /// <summary>A body that can be let go when it was sent, whoever still holds on to its request.</summary>
    private sealed class LentContent : HttpContent
    {
        private const int Piece = 16 * 1024;
        private readonly int _length;
        private ReadOnlyMemory<byte> _body;

        public LentContent(ReadOnlyMemory<byte> body) => (_body, _length) = (body, body.Length);

        public void LetGo() => _body = default;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            // In pieces that are no part of it: a socket keeps what it sent last.
            var rest = _body;
            var piece = ArrayPool<byte>.Shared.Rent(Math.Min(rest.Length, Piece));
            try
            {
                for (; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, piece.Length)..])
                {
                    var length = Math.Min(rest.Length, piece.Length);
                    rest[..length].CopyTo(piece);
                    await stream.WriteAsync(piece.AsMemory(0, length), cancellationToken);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(piece);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _length;
            return true;
        }
    }
}
