using System.Net.Http.Headers;
using System.Text;

namespace Ledger.Bench.Load;

/// <summary>Load over HTTP where <c>wrk</c> is missing; takes more of the machine, so its figures are lower throughout.</summary>
internal static class HttpLoad
{
    public static async Task<Measurement> PostAsync(
        string url,
        string path,
        IReadOnlyList<string> secrets,
        double repeats,
        int connections,
        TimeSpan duration,
        string run,
        bool withReference,
        CancellationToken ct
    )
    {
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = connections };
        using var client = new HttpClient(handler) { BaseAddress = new(url) };
        var every = repeats > 0 ? (long)(1 / repeats) : long.MaxValue;
        return await Callers.RunAsync(
            connections,
            duration,
            async (caller, n) =>
            {
                var i = n > 0 && n % every == 0 ? n - 1 : n;
                using var request = new HttpRequestMessage(HttpMethod.Post, path)
                {
                    Content = new StringContent(
                        withReference
                            ? $$"""{"tool":"chat","units":1,"reference":"{{run}}-{{caller}}-{{i}}"}"""
                            : """{"tool":"chat","units":1}""",
                        Encoding.UTF8,
                        "application/json"
                    ),
                };
                request.Headers.Authorization = new AuthenticationHeaderValue(
                    "Bearer",
                    secrets[(int)((caller + (i * connections)) % secrets.Count)]
                );
                using var answer = await client.SendAsync(request, ct);
                await answer.Content.ReadAsByteArrayAsync(ct);
                return answer.IsSuccessStatusCode;
            }
        );
    }
}
