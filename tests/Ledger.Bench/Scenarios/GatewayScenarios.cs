using System.Diagnostics;
using System.Globalization;
using System.Text;
using Ledger.Api.Application;
using Ledger.Bench.Load;
using Ledger.Upstream;

namespace Ledger.Bench.Scenarios;

/// <summary>
/// The metered gateway next to calling the provider directly and to a plain reverse proxy: a stand-in for the provider, a process of its own on this
/// machine like everything else.
/// </summary>
internal static class GatewayScenarios
{
    private const string Path = "/v1/chat/completions";
    private const string Body =
        """{"model":"auto","messages":[{"role":"system","content":"You are concise."},{"role":"user","content":"Hello there"}]}""";
    private const int PerSecond = 200;
    private const int Streams = 1000;
    private const int Pieces = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(15);

    /// <summary>The stand-in as a process of its own.</summary>
    public static async Task ServeUpstreamAsync(string url, string delay, string interval)
    {
        var script = UpstreamScript.Says([.. Enumerable.Range(0, Pieces).Select(piece => $"word{piece} ")]).Using(new(24, Pieces));
        await using var upstream = await StandInUpstream.StartQuickAsync(script, Milliseconds(delay), Milliseconds(interval), url);
        await upstream.WaitForShutdownAsync();
    }

    public static async Task RunAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var secrets = await SecretsAsync(bed, ct);
        await SaturateAsync(bed, report, secrets, ct);
        await LatencyAsync(bed, report, secrets, 0, ct);
        await LatencyAsync(bed, report, secrets, 20, ct);
        await StreamAsync(bed, report, secrets, ct);
    }

    /// <summary>The streams alone.</summary>
    public static async Task RunStreamsAsync(TestBed bed, Report report, CancellationToken ct) =>
        await StreamAsync(bed, report, await SecretsAsync(bed, ct), ct);

    private static async Task<List<string>> SecretsAsync(TestBed bed, CancellationToken ct)
    {
        await using var ledger = await bed.OpenLedgerAsync(1, ct);
        var accounts = await TestBed.MakeAccountsAsync(ledger.GetRequiredService<LedgerService>(), bed.Settings.Accounts, ofCalls: true);
        return [.. accounts.Select(account => account.Secret)];
    }

    /// <summary>As many calls as go through, not streamed.</summary>
    private static async Task SaturateAsync(TestBed bed, Report report, List<string> secrets, CancellationToken ct)
    {
        await using var upstream = await StartUpstreamAsync(0, 0, ct);
        await using var nginx = await Nginx.StartAsync(upstream.Url, ct);
        await using var server = await StartServerAsync(bed, upstream, ct);
        Task<Measurement> MeasureAsync(string url, string run, TimeSpan duration) =>
            Wrk.PostAsync(url, Path, secrets, Body, bed.Settings.Connections, duration, run, ct);

        report.Add("call the provider directly, 64 connections", await MeasureAsync(upstream.Url, "direct", bed.Settings.Duration));
        var baseline = report.Add(
            "nginx before the provider, 64 connections",
            await MeasureAsync(nginx.Url, "nginx", bed.Settings.Duration)
        );
        await MeasureAsync(server.Url, "warm-gateway", WarmUp);
        report.Add("metered calls, 64 connections", await MeasureAsync(server.Url, "gateway", bed.Settings.Duration), baseline);
    }

    /// <summary>What a call takes longer through the gateway, 200 a second, whatever the ones before them do.</summary>
    private static async Task LatencyAsync(TestBed bed, Report report, List<string> secrets, int delay, CancellationToken ct)
    {
        await using var upstream = await StartUpstreamAsync(delay, 0, ct);
        await using var nginx = await Nginx.StartAsync(upstream.Url, ct);
        await using var server = await StartServerAsync(bed, upstream, ct);
        await Wrk.PostAsync(server.Url, Path, secrets, Body, bed.Settings.Connections, WarmUp, "warm-latency", ct);
        var what = $"{PerSecond} calls a second, provider takes {delay} ms";
        await PacedAsync(upstream.Url, secrets, TimeSpan.FromSeconds(2), ct);
        var direct = await PacedAsync(upstream.Url, secrets, bed.Settings.Duration, ct);
        var through = await PacedAsync(nginx.Url, secrets, bed.Settings.Duration, ct);
        await PacedAsync(server.Url, secrets, TimeSpan.FromSeconds(2), ct);
        var metered = await PacedAsync(server.Url, secrets, bed.Settings.Duration, ct);
        var again = await PacedAsync(upstream.Url, secrets, bed.Settings.Duration, ct);
        var baseline = report.Add($"{what}: directly", direct);
        report.Add($"{what}: nginx", through, baseline);
        report.Add($"{what}: metered", metered, baseline);
        report.Add($"{what}: directly once more", again, baseline);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"added by nginx: p50 {through.P50 - direct.P50:0.00} ms, p99 {through.P99 - direct.P99:0.00} ms; added by the gateway: p50 {metered.P50 - direct.P50:0.00} ms, p99 {metered.P99 - direct.P99:0.00} ms"
            )
        );
    }

    /// <summary>A thousand streams at once: how late their pieces come, and what the server's memory is then.</summary>
    private static async Task StreamAsync(TestBed bed, Report report, List<string> secrets, CancellationToken ct)
    {
        await using var upstream = await StartUpstreamAsync(0, (int)Interval.TotalMilliseconds, ct);
        await using var nginx = await Nginx.StartAsync(upstream.Url, ct);
        await using var server = await StartServerAsync(bed, upstream, ct);
        var body = Encoding.UTF8.GetBytes(
            Body[..^1] + $",\"stream\":true,\"metadata\":{{\"x\":\"{new string('x', bed.Settings.BodyBytes)}\"}}}}"
        );
        await StreamsAsync(server, secrets, 100, body, ct);
        var direct = await StreamsAsync(upstream, secrets, Streams, body, ct);
        var baseline = report.Add($"{Streams} streams at once: pieces, directly", direct.Pieces);
        var proxied = await StreamsAsync(nginx.Url, null, secrets, Streams, body, ct);
        report.Add($"{Streams} streams at once: pieces, nginx", proxied.Pieces, baseline);
        var metered = await StreamsAsync(server, secrets, Streams, body, ct);
        report.Add($"{Streams} streams at once: pieces, metered", metered.Pieces, baseline);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"longest wait for a piece: directly {direct.Longest:0} ms, nginx {proxied.Longest:0} ms, metered {metered.Longest:0} ms; memory of the server at most {metered.Memory / 1024 / 1024} MiB"
            )
        );
    }

    private static Task<(Measurement Pieces, double Longest, long Memory)> StreamsAsync(
        ServerProcess server,
        List<string> secrets,
        int streams,
        byte[] body,
        CancellationToken ct
    ) => StreamsAsync(server.Url, server.ProcessId, secrets, streams, body, ct);

    private static async Task<(Measurement Pieces, double Longest, long Memory)> StreamsAsync(
        string url,
        int? process,
        List<string> secrets,
        int streams,
        byte[] body,
        CancellationToken ct
    )
    {
        using var client = ClientOf(url);
        var (memory, isOver) = (0L, false);
        var watch = process is { } id
            ? Task.Run(
                async () =>
                {
                    using var watched = Process.GetProcessById(id);
                    while (!Volatile.Read(ref isOver))
                    {
                        watched.Refresh();
                        memory = Math.Max(memory, watched.WorkingSet64);
                        await Task.Delay(100, ct);
                    }
                },
                ct
            )
            : Task.CompletedTask;
        var started = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(
            Enumerable.Range(0, streams).Select(i => Task.Run(() => StreamOneAsync(client, secrets[i % secrets.Count], body, ct), ct))
        );
        var took = Stopwatch.GetElapsedTime(started);
        Volatile.Write(ref isOver, true);
        await watch;

        // The first wait is that of a thousand connections made at once.
        var waits = all.SelectMany(each => each.Waits.Skip(1)).Order().ToArray();
        return (
            new(
                waits.Length / took.TotalSeconds,
                waits[waits.Length / 2],
                waits[(int)(waits.Length * 0.99)],
                all.Count(each => !each.IsWhole)
            ),
            waits[^1],
            memory
        );
    }

    private static async Task<(List<double> Waits, bool IsWhole)> StreamOneAsync(
        HttpClient client,
        string secret,
        byte[] body,
        CancellationToken ct
    )
    {
        var (waits, end, buffer) = (new List<double>(Pieces), "", new byte[8192]);
        using var request = RequestOf(secret, body);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        await using var stream = await answer.Content.ReadAsStreamAsync(ct);
        for (var last = Stopwatch.GetTimestamp(); ; last = Stopwatch.GetTimestamp())
        {
            var count = await stream.ReadAsync(buffer, ct);
            if (count == 0)
                return (waits, answer.IsSuccessStatusCode && end.Contains("[DONE]", StringComparison.Ordinal));
            waits.Add(Stopwatch.GetElapsedTime(last).TotalMilliseconds);
            end = Encoding.UTF8.GetString(buffer, 0, count);
        }
    }

    /// <summary>Calls at a fixed pace, whether the ones before them are answered or not.</summary>
    private static async Task<Measurement> PacedAsync(string url, List<string> secrets, TimeSpan duration, CancellationToken ct)
    {
        using var client = ClientOf(url);
        var body = Encoding.UTF8.GetBytes(Body);
        var calls = new List<Task<(double Took, bool IsGood)>>();
        var started = Stopwatch.GetTimestamp();
        var count = (int)(duration.TotalSeconds * PerSecond);
        for (var n = 0; n < count; n++)
        {
            var due = TimeSpan.FromSeconds((double)n / PerSecond);
            while (Stopwatch.GetElapsedTime(started) < due)
                await Task.Delay(1, ct);
            calls.Add(OneAsync(secrets[n % secrets.Count]));
        }

        var all = await Task.WhenAll(calls);
        var sorted = all.Select(call => call.Took).Order().ToArray();
        return new(
            sorted.Length / Stopwatch.GetElapsedTime(started).TotalSeconds,
            sorted[sorted.Length / 2],
            sorted[(int)(sorted.Length * 0.99)],
            all.Count(call => !call.IsGood)
        );

        async Task<(double, bool)> OneAsync(string secret)
        {
            var at = Stopwatch.GetTimestamp();
            using var request = RequestOf(secret, body);
            using var answer = await client.SendAsync(request, ct);
            await answer.Content.ReadAsByteArrayAsync(ct);
            return (Stopwatch.GetElapsedTime(at).TotalMilliseconds, answer.IsSuccessStatusCode);
        }
    }

    private static HttpClient ClientOf(string url) =>
        new(new SocketsHttpHandler()) { BaseAddress = new(url), Timeout = TimeSpan.FromMinutes(2) };

    private static HttpRequestMessage RequestOf(string secret, byte[] body) =>
        new(HttpMethod.Post, Path)
        {
            Headers = { Authorization = new("Bearer", secret) },
            Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } },
        };

    private static Task<ServerProcess> StartUpstreamAsync(int delay, int interval, CancellationToken ct)
    {
        var url = $"http://127.0.0.1:{TestBed.FreePort()}";
        return ServerProcess.StartAsync(
            typeof(TestBed).Assembly.Location,
            ["upstream-server", url, delay.ToString(CultureInfo.InvariantCulture), interval.ToString(CultureInfo.InvariantCulture)],
            url,
            "/",
            [],
            ct
        );
    }

    private static Task<ServerProcess> StartServerAsync(TestBed bed, ServerProcess upstream, CancellationToken ct) =>
        bed.StartServerAsync(
            ct,
            ("Providers__sandbox__Kind", "openai"),
            ("Providers__sandbox__BaseUrl", upstream.Url + "/v1"),
            ("Providers__sandbox__ApiKey", StandInUpstream.ApiKey)
        );

    private static TimeSpan Milliseconds(string text) => TimeSpan.FromMilliseconds(int.Parse(text, CultureInfo.InvariantCulture));
}
