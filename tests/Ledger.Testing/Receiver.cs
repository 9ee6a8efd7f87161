using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ledger.Testing;

/// <summary>A request that a receiver got.</summary>
/// <param name="Path">Where to, from the first slash on.</param>
/// <param name="Headers">Its headers.</param>
/// <param name="Body">Its body, byte for byte.</param>
public sealed record Received(string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    /// <summary>The body as a text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>A member of the body as a text, by its path.</summary>
    public string? At(params IReadOnlyList<string> path)
    {
        var at = path.Aggregate(Json, (element, name) => element.GetProperty(name));
        return at.ValueKind == JsonValueKind.String ? at.GetString() : at.GetRawText();
    }
}

/// <summary>What a receiver answers.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The body.</param>
/// <param name="Location">Where it sends on to.</param>
public sealed record Reply(int Status, string Body = "", string? Location = null);

/// <summary>A real web server on a port of its own, in place of a customer's: it keeps what it gets and answers as it is told.</summary>
public sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Received> _received = new();

    private Receiver(WebApplication app) => _app = app;

    /// <summary>What it answers; 200 where a test says nothing else. May take its time.</summary>
    public Func<Received, Task<Reply>> Answer { get; set; } = _ => Task.FromResult(new Reply(200));

    /// <summary>What it got, in the order in which it came.</summary>
    public IReadOnlyList<Received> All => [.. _received];

    /// <summary>Where it listens, by the address: <c>http://127.0.0.1:…</c>.</summary>
    public string Address => _app.Urls.Single();

    /// <summary>Its port.</summary>
    public int Port => new Uri(Address).Port;

    /// <summary>Starts one.</summary>
    public static async Task<Receiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var receiver = new Receiver(builder.Build());
        receiver._app.Run(receiver.ReceiveAsync);
        await receiver._app.StartAsync();
        return receiver;
    }

    /// <summary>What it got at a path.</summary>
    public IReadOnlyList<Received> At(string path) => [.. _received.Where(received => received.Path == path)];

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var headers = context.Request.Headers.ToDictionary(
            header => header.Key,
            header => header.Value.ToString(),
            StringComparer.OrdinalIgnoreCase
        );
        var received = new Received(context.Request.Path + context.Request.QueryString, headers, body.ToArray());
        _received.Enqueue(received);
        var reply = await Answer(received);
        context.Response.StatusCode = reply.Status;
        if (reply.Location is not null)
            context.Response.Headers.Location = reply.Location;
        await context.Response.WriteAsync(reply.Body);
    }
}
