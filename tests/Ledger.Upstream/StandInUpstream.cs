using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ledger.Upstream;

/// <summary>
/// A provider on a free loopback port: OpenAI's <c>/v1/chat/completions</c> and Anthropic's <c>/v1/messages</c>, streaming or not. What it answers is a
/// <see cref="UpstreamScript"/>: the next one in the queue, else the one of the model that is asked for, else a short text.
/// </summary>
/// <example>
/// <code>
/// await using var upstream = await StandInUpstream.StartAsync();
/// upstream.Next(UpstreamScript.Refuses(529)).ForModel("long", UpstreamScript.Says("one ", "two ").Finishing(UpstreamFinish.Length));
/// </code>
/// </example>
public sealed class StandInUpstream : IAsyncDisposable
{
    /// <summary>The only key that it takes.</summary>
    public const string ApiKey = "sk-upstream-4f1c0a9b7d";

    private const string AnyPort = "http://127.0.0.1:0";
    private static readonly IVoice OpenAi = new OpenAiVoice();
    private static readonly IVoice Anthropic = new AnthropicVoice();

    private readonly WebApplication _server;
    private readonly ConcurrentQueue<UpstreamScript> _next = new();
    private readonly ConcurrentDictionary<string, UpstreamScript> _models = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<UpstreamCall> _calls = new();
    private readonly CancellationTokenSource _over = new();
    private UpstreamScript _otherwise = UpstreamScript.Says("Hello", " from", " upstream").Using(new(10, 3));

    private StandInUpstream(WebApplication server) => _server = server;

    /// <summary>Where it is, without a slash at the end.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Every request so far. None of a quick one.</summary>
    public IReadOnlyList<UpstreamCall> Calls => [.. _calls];

    /// <summary>Starts one.</summary>
    public static async Task<StandInUpstream> StartAsync()
    {
        var upstream = Make(AnyPort);
        upstream._server.Run(upstream.AnswerAsync);
        return await upstream.ListenAsync();
    }

    /// <summary>Starts one that is reached over TLS, and speaks HTTP/2 to who asks for it, as real providers do.</summary>
    /// <param name="certificate">What it shows, with its private key.</param>
    public static async Task<StandInUpstream> StartSecureAsync(X509Certificate2 certificate)
    {
        var upstream = Make(null, kestrel => kestrel.Listen(IPAddress.Loopback, 0, listens => listens.UseHttps(certificate)));
        upstream._server.Run(upstream.AnswerAsync);
        return await upstream.ListenAsync();
    }

    /// <summary>
    /// Starts one for measuring: it reads the body, looks for <c>"stream":true</c> in it, and sends bytes that were made beforehand. It checks no key and
    /// records nothing.
    /// </summary>
    /// <param name="script">What it says.</param>
    /// <param name="delay">How long before the first byte; nothing where it is left out.</param>
    /// <param name="interval">How long between two pieces of a stream; nothing where it is left out.</param>
    /// <param name="url">Where it listens; on a free port where it is left out.</param>
    public static async Task<StandInUpstream> StartQuickAsync(
        UpstreamScript script,
        TimeSpan delay = default,
        TimeSpan interval = default,
        string url = AnyPort
    )
    {
        ArgumentNullException.ThrowIfNull(script);
        var upstream = Make(url);
        var answers = new QuickAnswers(script, delay, interval);
        upstream._server.Run(answers.SendAsync);
        return await upstream.ListenAsync();
    }

    /// <summary>Answers the next request so, before anything else; several in their order.</summary>
    public StandInUpstream Next(params UpstreamScript[] scripts)
    {
        foreach (var script in scripts)
            _next.Enqueue(script);
        return this;
    }

    /// <summary>Answers requests for a model so.</summary>
    public StandInUpstream ForModel(string model, UpstreamScript script)
    {
        _models[model] = script;
        return this;
    }

    /// <summary>Answers whatever nothing else is said about so.</summary>
    public StandInUpstream Otherwise(UpstreamScript script)
    {
        _otherwise = script;
        return this;
    }

    /// <summary>What a ledger is told so that a provider of its card is this.</summary>
    /// <param name="name">The provider's name on the card.</param>
    /// <param name="kind"><c>openai</c> or <c>anthropic</c>.</param>
    public Dictionary<string, string> SettingsFor(string name, string kind = "openai") =>
        new()
        {
            [$"Providers:{name}:Kind"] = kind,
            [$"Providers:{name}:BaseUrl"] = kind == "openai" ? Address + "/v1" : Address,
            [$"Providers:{name}:ApiKey"] = ApiKey,
        };

    /// <summary>Ends when its process is told to stop.</summary>
    public Task WaitForShutdownAsync() => _server.WaitForShutdownAsync();

    /// <summary>Stops; whoever still waits at a gate is let go.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_over.IsCancellationRequested)
            return;
        await _over.CancelAsync();
        await _server.DisposeAsync();
    }

    private static StandInUpstream Make(string? url, Action<KestrelServerOptions>? listens = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (url is not null)
            builder.WebHost.UseUrls(url);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            listens?.Invoke(kestrel);
        });
        return new(builder.Build());
    }

    private async Task<StandInUpstream> ListenAsync()
    {
        await _server.StartAsync();
        Address = _server.Urls.Single();
        return this;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var call = await ReadAsync(context.Request);
        _calls.Enqueue(call);
        using var gone = context.RequestAborted.Register(call.EndByClient);
        var voice = VoiceOf(context.Request.Path);
        if (voice is null || call.Method != "POST")
        {
            context.Response.StatusCode = 404;
            return;
        }

        var key = voice == OpenAi ? call.Header("Authorization") == "Bearer " + ApiKey : call.Header("x-api-key") == ApiKey;
        var script =
            !key ? UpstreamScript.Refuses(401, $"Incorrect API key provided: {call.Header("Authorization")}{call.Header("x-api-key")}.")
            : _next.TryDequeue(out var next) ? next
            : _models.GetValueOrDefault(call.Model, _otherwise);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_over.Token, context.RequestAborted);
        try
        {
            await PlayAsync(context, voice, script, call, ended.Token);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // This may come before what was registered for it.
            if (context.RequestAborted.IsCancellationRequested)
                call.EndByClient();
            context.Abort();
        }
    }

    private static async Task PlayAsync(HttpContext context, IVoice voice, UpstreamScript script, UpstreamCall call, CancellationToken ct)
    {
        var response = context.Response;
        if (script.BeforeHeaders is not null)
            await script.BeforeHeaders.PassAsync(ct);
        if (script.IsCutAtOnce)
        {
            context.Abort();
            return;
        }

        response.StatusCode = script.Status;
        foreach (var header in script.Headers)
            response.Headers.Append(header.Key, header.Value);
        var isStream = script is { Raw: null, Status: 200 } && call.IsStream;
        response.ContentType =
            script.Raw is not null ? script.RawType
            : isStream ? "text/event-stream"
            : "application/json";
        if (script.BeforeFirstByte is not null)
        {
            await response.StartAsync(ct);
            await response.Body.FlushAsync(ct);
            await script.BeforeFirstByte.PassAsync(ct);
        }

        if (isStream)
            await StreamAsync(context, voice, script, call, ct);
        else
            await WholeAsync(context, voice, script, call, ct);
    }

    private static async Task WholeAsync(HttpContext context, IVoice voice, UpstreamScript script, UpstreamCall call, CancellationToken ct)
    {
        var body =
            script.Raw
            ?? Encoding.UTF8.GetBytes(
                script.Status == 200
                    ? voice.Whole(script, call.Model)
                    : voice.Error(script.Status, script.Error!.Value.Type, script.Error.Value.Message)
            );
        if (!context.Response.HasStarted)
            context.Response.ContentLength = body.Length;
        if (script.Cut is null)
        {
            await context.Response.Body.WriteAsync(body, ct);
            return;
        }

        await SendAsync(context, body.AsMemory(0, body.Length / 2), ct);
        throw new Cut();
    }

    private static async Task StreamAsync(HttpContext context, IVoice voice, UpstreamScript script, UpstreamCall call, CancellationToken ct)
    {
        if (script.AfterComment is { } gateBehind)
        {
            await SendAsync(context, ": PROCESSING\n\n", ct);
            await gateBehind.PassAsync(ct);
        }

        if (script.Error is (0, var type, var message))
        {
            await SendAsync(context, voice.ErrorEvent(type, message), ct);
            return;
        }

        await context.Response.StartAsync(ct);
        await context.Response.Body.FlushAsync(ct);
        if (script.Cut is not 0)
        {
            foreach (var frame in voice.Opening(script, call.Model))
                await SendAsync(context, frame, ct);
        }

        for (var i = 0; i <= script.Pieces.Count; i++)
        {
            if (script.BeforePiece.TryGetValue(i, out var gate))
                await gate.PassAsync(ct);
            if (script.Cut == i)
                throw new Cut();
            if (script.Error is { } error && error.After == i)
            {
                await SendAsync(context, voice.ErrorEvent(error.Type, error.Message), ct);
                return;
            }

            if (i < script.Pieces.Count)
                await SendAsync(context, voice.Piece(script.Pieces[i], call.Model), ct);
        }

        foreach (var frame in voice.Closing(script, call.Model, WantsUsage(call)))
            await SendAsync(context, frame, ct);
    }

    private static Task SendAsync(HttpContext context, string frame, CancellationToken ct) =>
        SendAsync(context, Encoding.UTF8.GetBytes(frame), ct);

    private static async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        await context.Response.Body.WriteAsync(bytes, ct);
        await context.Response.Body.FlushAsync(ct);
    }

    private static bool WantsUsage(UpstreamCall call) =>
        call.Json.TryGetProperty("stream_options", out var options)
        && options.TryGetProperty("include_usage", out var usage)
        && usage.ValueKind == JsonValueKind.True;

    private static IVoice? VoiceOf(PathString path) =>
        path.Value switch
        {
            "/v1/chat/completions" => OpenAi,
            "/v1/messages" => Anthropic,
            _ => null,
        };

    private static async Task<UpstreamCall> ReadAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        var bytes = body.ToArray();
        var (model, isStream) = ("", false);
        try
        {
            var json = JsonElement.Parse(bytes);
            model = json.TryGetProperty("model", out var named) ? named.GetString() ?? "" : "";
            isStream = json.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True;
        }
        catch (JsonException)
        {
            // Recorded all the same.
        }

        return new(
            request.Method,
            request.Path + request.QueryString,
            request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            bytes
        )
        {
            Model = model,
            IsStream = isStream,
            HttpVersion = request.Protocol,
            Connection = request.HttpContext.Connection.Id,
        };
    }

    /// <summary>
    /// Ends the connection without the end of the answer. Kestrel sends what was written before it closes after an exception; after
    /// <see cref="HttpContext.Abort"/> it may not.
    /// </summary>
    private sealed class Cut : Exception;

    /// <summary>The four answers, made beforehand.</summary>
    private sealed class QuickAnswers(UpstreamScript script, TimeSpan delay, TimeSpan interval)
    {
        private readonly byte[] _openAi = Encoding.UTF8.GetBytes(OpenAi.Whole(script, "quick"));
        private readonly byte[] _anthropic = Encoding.UTF8.GetBytes(Anthropic.Whole(script, "quick"));
        private readonly byte[][] _openAiStream = Frames(OpenAi, script);
        private readonly byte[][] _anthropicStream = Frames(Anthropic, script);

        public async Task SendAsync(HttpContext context)
        {
            var isOpenAi = context.Request.Path.Value == "/v1/chat/completions";
            var isStream = await ReadAsync(context.Request.BodyReader);
            if (delay > TimeSpan.Zero)
                await Task.Delay(delay);
            if (!isStream)
            {
                var whole = isOpenAi ? _openAi : _anthropic;
                context.Response.ContentType = "application/json";
                context.Response.ContentLength = whole.Length;
                await context.Response.BodyWriter.WriteAsync(whole);
                return;
            }

            context.Response.ContentType = "text/event-stream";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            foreach (var frame in isOpenAi ? _openAiStream : _anthropicStream)
            {
                await context.Response.BodyWriter.WriteAsync(frame);
                if (interval > TimeSpan.Zero)
                    await Task.Delay(interval);
            }
        }

        private static async Task<bool> ReadAsync(System.IO.Pipelines.PipeReader reader)
        {
            while (true)
            {
                var read = await reader.ReadAsync();
                if (!read.IsCompleted)
                {
                    reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    continue;
                }

                var bytes = read.Buffer.IsSingleSegment ? read.Buffer.FirstSpan : System.Buffers.BuffersExtensions.ToArray(read.Buffer);
                var isStream = bytes.IndexOf("\"stream\":true"u8) >= 0 || bytes.IndexOf("\"stream\": true"u8) >= 0;
                reader.AdvanceTo(read.Buffer.End);
                return isStream;
            }
        }

        private static byte[][] Frames(IVoice voice, UpstreamScript script) =>
            [
                .. (
                    (IEnumerable<string>)
                        [
                            .. voice.Opening(script, "quick"),
                            .. script.Pieces.Select(piece => voice.Piece(piece, "quick")),
                            .. voice.Closing(script, "quick", wantsUsage: true),
                        ]
                ).Select(Encoding.UTF8.GetBytes),
            ];
    }
}
