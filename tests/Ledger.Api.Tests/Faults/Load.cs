using System.Collections.Concurrent;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>Spends by many clients at once, each reference at most once, until told to stop; remembers what was acknowledged.</summary>
internal sealed class Load
{
    public const int Clients = 32;

    private readonly ConcurrentDictionary<string, string> _acknowledged = new();
    private readonly ConcurrentDictionary<string, byte> _sent = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    private Load(LedgerClient server, string key, bool insists) =>
        _run = Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(() => RunAsync(server, key, client, insists))));

    /// <summary>The answer of each reference that got one.</summary>
    public IReadOnlyDictionary<string, string> Acknowledged => _acknowledged;

    /// <summary>Every reference that was ever sent.</summary>
    public IEnumerable<string> Sent => _sent.Keys;

    /// <summary>Starts clients that give up when the connection breaks.</summary>
    public static Load Start(LedgerClient server, string key) => new(server, key, insists: false);

    /// <summary>Starts clients that repeat what was answered 503, with the same reference, as its <c>Retry-After</c> invites them to.</summary>
    public static Load StartInsisting(LedgerClient server, string key) => new(server, key, insists: true);

    public Task AcknowledgesAsync(int more)
    {
        var goal = _acknowledged.Count + more;
        return Eventually.IsSoAsync(() => _acknowledged.Count >= goal || _run.IsCompleted);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _run;
    }

    /// <summary>Waits for every client to have given up by itself.</summary>
    public Task EndsAsync() => _run;

    /// <summary>
    /// Sends every reference once more and compares the accounts: what was acknowledged is answered as before, what was not is charged now
    /// or was charged then, and all in all each reference was charged once.
    /// </summary>
    public async Task ReconcileAsync(LedgerClient server, string key, string database, string account, long before)
    {
        foreach (var references in Sent.Chunk(Clients))
        {
            await Task.WhenAll(
                references.Select(async reference =>
                {
                    var answer = await server.PostAsync("/api/v1/tools/spend", key, Body(reference));
                    await Eventually.IsSoAsync(async () =>
                        answer.Status != 503 || (answer = await server.PostAsync("/api/v1/tools/spend", key, Body(reference))).Status != 503
                    );
                    answer.ShouldBe(200);
                    if (!_acknowledged.TryGetValue(reference, out var first))
                        return;
                    answer.ShouldBe(200, first).ShouldHave("Idempotent-Replayed", "true");
                })
            );
        }

        var distinct = Sent.Count();
        (await server.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 }))
            .ShouldBe(200)
            .Json.GetProperty("balance_after")
            .GetInt64()
            .ShouldBe(before - (5L * distinct) - 5);
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            """
            select
              count(*) filter (where type = 'credits_spent'),
              count(distinct data ->> 'reference') filter (where type = 'credits_spent'),
              count(*) = max(version) and count(distinct version) = max(version)
            from mt_events
            where stream_id = $1
            """,
            connection
        )
        {
            Parameters = { new() { Value = "account-" + account } },
        };
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        row.GetInt64(0).ShouldBe(distinct);
        row.GetInt64(1).ShouldBe(distinct);
        row.GetBoolean(2).ShouldBeTrue("versions are contiguous");
    }

    private async Task RunAsync(LedgerClient server, string key, int client, bool insists)
    {
        for (var n = 0; !_stop.IsCancellationRequested; n++)
        {
            var reference = $"client{client}-{n}";
            _sent.TryAdd(reference, 0);
            while (true)
            {
                Answer answer;
                try
                {
                    answer = await server.PostAsync("/api/v1/tools/spend", key, Body(reference));
                }
                catch (HttpRequestException) when (!insists)
                {
                    return;
                }

                if (answer.Status == 200)
                {
                    _acknowledged[reference] = answer.Body;
                    break;
                }

                answer.ShouldBeRefused(503, "unavailable").ShouldHave("Retry-After", "1").ShouldHave("x-should-retry", null);
                if (!insists || _stop.IsCancellationRequested)
                    return;
                await Task.Delay(TimeSpan.FromMilliseconds(20));
            }
        }
    }

    private static object Body(string reference) =>
        new
        {
            tool = "chat",
            units = 1,
            reference,
        };
}
