using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Ledger.Bench.Load;

/// <summary>Load over HTTP by <c>wrk</c>, which costs the machine least; by our own client where it is not installed.</summary>
internal static partial class Wrk
{
    /// <summary>Posts bodies that differ in key and reference.</summary>
    /// <param name="url">The server.</param>
    /// <param name="path">The route.</param>
    /// <param name="secrets">The keys, taken in turn.</param>
    /// <param name="repeats">The share of requests that repeat an earlier reference.</param>
    /// <param name="connections">Connections at once.</param>
    /// <param name="duration">How long.</param>
    /// <param name="run">Distinguishes the references of this run.</param>
    /// <param name="withReference">Whether bodies carry a reference.</param>
    /// <param name="ct">Gives up.</param>
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
        return IsInstalled
            ? await RunAsync(url, Script(path, secrets, repeats, run, withReference), connections, duration, run, ct)
            : await HttpLoad.PostAsync(url, path, secrets, repeats, connections, duration, run, withReference, ct);
    }

    /// <summary>Posts the same body with one key after another.</summary>
    /// <param name="url">The server.</param>
    /// <param name="path">The route.</param>
    /// <param name="secrets">The keys, taken in turn.</param>
    /// <param name="body">The body, without quotes that Lua would read as its own.</param>
    /// <param name="connections">Connections at once.</param>
    /// <param name="duration">How long.</param>
    /// <param name="run">Distinguishes this run's files.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="InvalidOperationException"><c>wrk</c> is not installed.</exception>
    public static Task<Measurement> PostAsync(
        string url,
        string path,
        IReadOnlyList<string> secrets,
        string body,
        int connections,
        TimeSpan duration,
        string run,
        CancellationToken ct
    ) =>
        IsInstalled
            ? RunAsync(url, Script(path, secrets, body), connections, duration, run, ct)
            : throw new InvalidOperationException("This scenario needs wrk.");

    private static async Task<Measurement> RunAsync(
        string url,
        string text,
        int connections,
        TimeSpan duration,
        string run,
        CancellationToken ct
    )
    {
        var script = Path.Combine(Path.GetTempPath(), $"ledger-bench-{run}.lua");
        await File.WriteAllTextAsync(script, text, ct);
        try
        {
            var start = new ProcessStartInfo(
                "wrk",
                [
                    "-t",
                    "1",
                    "-c",
                    connections.ToString(CultureInfo.InvariantCulture),
                    "-d",
                    $"{(int)duration.TotalSeconds}s",
                    "--latency",
                    "-s",
                    script,
                    url,
                ]
            )
            {
                RedirectStandardOutput = true,
            };
            using var process = Process.Start(start)!;
            var output = await process.StandardOutput.ReadToEndAsync(ct);
            await process.WaitForExitAsync(ct);
            return new(
                double.Parse(Rate().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
                Milliseconds(output, "50%"),
                Milliseconds(output, "99%"),
                Errors(output)
            );
        }
        finally
        {
            File.Delete(script);
        }
    }

    private static bool IsInstalled { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, "wrk")));

    /// <summary>The script that makes each request.</summary>
    public static string Script(string path, IReadOnlyList<string> secrets, double repeats, string run, bool withReference) =>
        $$"""
            local keys = { {{string.Join(", ", secrets.Select(secret => $"\"{secret}\""))}} }
            local headers = {}
            for i, key in ipairs(keys) do
              headers[i] = "POST {{path}} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. key .. "\r\nContent-Type: application/json\r\nContent-Length: "
            end
            local n = 0
            local run = "{{run}}-" .. os.time()
            local repeats = {{repeats.ToString(CultureInfo.InvariantCulture)}}
            request = function()
              n = n + 1
              local i = n
              if repeats > 0 and n > 5000 and n % math.floor(1 / repeats) == 0 then i = n - 2000 end
              local body = {{(
                withReference
                    ? $"""'{"{"}"tool":"chat","units":1,"reference":"' .. run .. '-' .. i .. '"{"}"}'"""
                    : """'{"tool":"chat","units":1}'"""
            )}}
              return headers[i % #keys + 1] .. #body .. "\r\n\r\n" .. body
            end
            """;

    private static string Script(string path, IReadOnlyList<string> secrets, string body) =>
        $$"""
            local keys = { {{string.Join(", ", secrets.Select(secret => $"\"{secret}\""))}} }
            local body = [[{{body}}]]
            local requests = {}
            for i, key in ipairs(keys) do
              requests[i] = "POST {{path}} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. key .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
            end
            local n = 0
            request = function()
              n = n + 1
              return requests[n % #keys + 1]
            end
            """;

    private static double? Milliseconds(string output, string percentile)
    {
        var match = Regex.Match(output, $@"^\s+{percentile}\s+([0-9.]+)(us|ms|s)", RegexOptions.Multiline);
        return !match.Success
            ? null
            : double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
                * match.Groups[2].Value switch
                {
                    "us" => 0.001,
                    "ms" => 1,
                    _ => 1000,
                };
    }

    private static long Errors(string output)
    {
        var errors = 0L;
        if (NotSuccess().Match(output) is { Success: true } status)
            errors += long.Parse(status.Groups[1].Value, CultureInfo.InvariantCulture);
        if (Socket().Match(output) is { Success: true } socket)
        {
            for (var group = 1; group <= 4; group++)
                errors += long.Parse(socket.Groups[group].Value, CultureInfo.InvariantCulture);
        }

        return errors;
    }

    [GeneratedRegex(@"Requests/sec:\s+([0-9.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (\d+)")]
    private static partial Regex NotSuccess();

    [GeneratedRegex(@"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")]
    private static partial Regex Socket();
}
