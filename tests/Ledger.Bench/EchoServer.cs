using System.Text;

namespace Ledger.Bench;

/// <summary>The baseline over HTTP: the same web server, the same request read, an answer of the same size, and nothing in between.</summary>
internal static class EchoServer
{
    public static async Task RunAsync(string url)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(url).ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        var answer = Encoding.UTF8.GetBytes("""{"ok":true,"charged":5,"balance_after":999999}""");
        app.MapPost(
            "/{**path}",
            async (HttpContext context) =>
            {
                var reader = context.Request.BodyReader;
                while (true)
                {
                    var read = await reader.ReadAsync();
                    reader.AdvanceTo(read.Buffer.End);
                    if (read.IsCompleted)
                        break;
                }

                context.Response.ContentType = "application/json";
                context.Response.ContentLength = answer.Length;
                await context.Response.BodyWriter.WriteAsync(answer);
            }
        );
        await app.RunAsync();
    }
}
