using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.EventStore.Transfer;
using Ledger.Projections;
using Ledger.Projections.Audit;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Ledger.Projections.Tests;
using Ledger.Projections.Transfer;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Bench.Scenarios;

/// <summary>What goes over a long log: rebuilding from it, and verifying it. The real commands, each a process of its own.</summary>
internal static class HistoryScenarios
{
    private const long Million = 1_000_000;
    private const string Reading = "reading the log over binary COPY, parsing and hashing it";

    public static async Task RebuildAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var events = await FillAsync(bed, ct);
        var reading = await ReadingAsync(bed, report, events, ct);
        await CommandAsync(bed, report, "rebuild all", events, reading, ["rebuild", "all"], ct);
    }

    public static async Task VerifyAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var events = await FillAsync(bed, ct);
        var reading = await ReadingAsync(bed, report, events, ct);
        await CommandAsync(bed, report, "audit verify", events, reading, ["audit", "verify"], ct);
    }

    /// <summary>The log into files, and a ledger from them, in a database of its own.</summary>
    public static async Task TransferAsync(TestBed bed, Report report, CancellationToken ct)
    {
        const string Copy = "imported";
        var events = await FillAsync(bed, ct);
        var reading = await ReadingAsync(bed, report, events, ct);
        var folder = Directory.CreateTempSubdirectory("ledger-export-");
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        try
        {
            await CommandAsync(bed, report, "export", events, reading, ["export", folder.FullName], ct);
            await RunAsync($"drop database if exists {Copy}");
            await RunAsync($"create database {Copy} template template0");
            await CommandAsync(bed, report, "import", events, reading, ["import", folder.FullName], ct, Copy);
        }
        finally
        {
            await RunAsync($"drop database if exists {Copy} with (force)");
            folder.Delete(recursive: true);
        }

        async Task RunAsync(string sql)
        {
            await using var command = database.CreateCommand(sql);
            command.CommandTimeout = 0;
            await command.ExecuteNonQueryAsync(ct);
        }
    }

    /// <summary>Makes the log, unless it is there already, with its read models, its books and its checkpoints.</summary>
    /// <returns>How many events it holds.</returns>
    private static async Task<long> FillAsync(TestBed bed, CancellationToken ct)
    {
        var wanted = bed.Settings.Events == 0 ? Million : bed.Settings.Events;
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        if (await CountAsync(database, ct) < wanted)
        {
            var started = Stopwatch.GetTimestamp();
            await using (var forge = await LogForge.OpenAsync(bed.ConnectionString, ct))
            {
                // A day: so many events in an hour that an hour is worth summing.
                var end = TimeProvider.System.GetUtcNow().AddHours(-1);
                var accounts = await forge.OpenAccountsAsync(bed.Settings.Accounts, end.AddDays(-1), ct);
                await forge.SpendAsync(accounts, wanted - forge.Count, end.AddDays(-1), end, ct);
                await forge.EndAsync(ct);
            }

            await bed.RunCommandAsync(["rebuild", "all"], ct);
            await bed.SettleAsync(ct);
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"made {wanted} events in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s")
            );
        }

        await CatchUpAsync(bed, database, ct);
        return await CountAsync(database, ct);
    }

    /// <summary>Has a server book the whole log and sign for it, as for one that grew by itself, unless that is done.</summary>
    private static async Task CatchUpAsync(TestBed bed, NpgsqlDataSource database, CancellationToken ct)
    {
        await using var isCaughtUp = database.CreateCommand(
            """
            select
              coalesce((select p.position from journal_position p), 0) >= m.last
              and coalesce((select max(c.position) from log_checkpoints c), 0) >= m.last
            from (select max(m.seq_id) as last from mt_events m) m
            """
        );
        if ((bool)(await isCaughtUp.ExecuteScalarAsync(ct))!)
            return;
        var started = Stopwatch.GetTimestamp();
        await using (
            await bed.StartServerAsync(ct, [("Ledger__JournalInterval", "00:00:00.1"), ("Ledger__CheckpointInterval", "00:00:01")])
        )
        {
            while (!(bool)(await isCaughtUp.ExecuteScalarAsync(ct))!)
                await Task.Delay(500, ct);
        }

        Tell("the log is booked and signed", started);
        await bed.SettleAsync(ct);
    }

    /// <summary>The least that anybody does who looks at every event: one connection, one thread.</summary>
    private static async Task<Row> ReadingAsync(TestBed bed, Report report, long events, CancellationToken ct)
    {
        if (report.Find(Reading) is { } measured)
            return measured;
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(ct);
        var (started, read, tokens) = (Stopwatch.GetTimestamp(), 0L, 0L);
        var hash = new byte[SHA256.HashSizeInBytes];
        await using (
            var rows = await connection.BeginRawBinaryCopyAsync(
                "copy (select m.data from mt_events m where m.seq_id > 0 order by m.seq_id) to stdout (format binary)",
                ct
            )
        )
        {
            // One message per row: two bytes for the number of fields, four for the length, one for jsonb's format, the text; nineteen ahead of the first.
            var buffer = new byte[1 << 20];
            for (var (filled, skip) = (0, 19); ; )
            {
                var count = await rows.ReadAsync(buffer.AsMemory(filled), ct);
                if (count == 0)
                    break;
                filled += count;
                var at = skip;
                skip = 0;
                while (at + 6 <= filled)
                {
                    var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(at + 2));
                    if (at + 6 + length > filled)
                        break;
                    var data = buffer.AsSpan(at + 7, length - 1);
                    for (var reader = new Utf8JsonReader(data); reader.Read(); )
                        tokens++;
                    SHA256.HashData(data, hash);
                    read++;
                    at += 6 + length;
                }

                buffer.AsSpan(at, filled - at).CopyTo(buffer);
                filled -= at;
            }
        }

        if (read < events || tokens < read)
            throw new InvalidOperationException($"{read} of {events} events were read.");
        return report.Add(Reading, new(read / Stopwatch.GetElapsedTime(started).TotalSeconds, null, null, 0));
    }

    private static async Task CommandAsync(
        TestBed bed,
        Report report,
        string scenario,
        long events,
        Row baseline,
        string[] arguments,
        CancellationToken ct,
        string? database = null
    )
    {
        var run = await bed.RunCommandAsync(arguments, ct, database);
        report.Add(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{scenario}, {events} events, {bed.Settings.Accounts} accounts: {run.Took.TotalSeconds:0.0} s, at most {run.PeakMegabytes:0} MB"
            ),
            new(events / run.Took.TotalSeconds, null, null, run.ExitCode == 0 ? 0 : 1)
            {
                Micros = new(
                    run.OwnSeconds * Million / events,
                    run.PostgresSeconds * Million / events,
                    0,
                    ((run.Took.TotalSeconds * Environment.ProcessorCount) - run.OwnSeconds - run.PostgresSeconds) * Million / events
                ),
            },
            baseline
        );
    }

    /// <summary>
    /// At least a million events of every kind: replayed, rebuilt, verified, exported, imported and tampered with; every number is held against the live one. Anything that differs is an error.
    /// </summary>
    public static async Task EveryKindAsync(TestBed bed, Report report, CancellationToken ct)
    {
        const int Accounts = 300;

        // The reader of the log takes its time; what it has come to is compared as far as it goes.
        const long Booked = 100_000;
        var wanted = Math.Max(bed.Settings.Events, Million);
        await using var ledger = await LedgerDatabase.CreateAsync();
        await ledger.PublishAsync(Quantity.Of(1));
        await using var history = await ledger.OpenHistoryAsync(1, Accounts);
        var (events, started) = (0L, Stopwatch.GetTimestamp());
        while (events < wanted)
        {
            for (var step = 0; step < 50; step++)
                await history.StepAsync();
            events = await CountAsync(ledger.Database, ct);
        }

        Tell($"made {events} events of {history.Events.Select(@event => @event.GetType()).Distinct().Count()} kinds", started);
        started = Stopwatch.GetTimestamp();
        var books = new JournalSums(ledger.Database, ledger.Log, ledger.Snapshots);
        for (
            var (after, page) = (0L, await ledger.Log.ReadLogAsync(0, 2000, ct));
            page.Count > 0;
            page = await ledger.Log.ReadLogAsync(after, 2000, ct)
        )
        {
            await books.AddAsync(page, ct);
            after = page[^1].Position;
            if (after >= Booked)
                break;
        }

        Tell("the books have come so far as is compared", started);

        // Replayed from the first event, each account is what it was when its last command was decided.
        started = Stopwatch.GetTimestamp();
        var wrong = 0L;
        foreach (var (id, state) in history.States)
            wrong +=
                History.Describe(await ledger.Snapshots.FoldWholeAsync(id, state.Account.Version, ct)) == History.Describe(state) ? 0 : 1;
        Add($"replay of {events} events of every kind");

        var before = await DigestAsync(ledger.Database, ct);
        await new Rebuilder(ledger.Database, TimeProvider.System).RebuildAsync("all", null, ct);
        wrong += await DigestAsync(ledger.Database, ct) == before ? 0 : 1;
        Add($"rebuild of {events} events of every kind");

        var auditor = new Auditor(
            ledger.Database,
            TimeProvider.System,
            [new CheckpointCheck(), new StreamCheck(), new ReadModelCheck(), new TrialBalanceCheck(books)]
        );
        var whole = await auditor.RunAsync(null, null, ct);
        wrong += whole.FindingsTotal;
        Add($"audit of {events} events of every kind");

        var folder = Directory.CreateTempSubdirectory("ledger-export-");
        try
        {
            var files = Path.Combine(folder.FullName, "log");
            await new LogExport(ledger.Database, TimeProvider.System).RunAsync(new(files, "jsonl", null, null, 100_000), null, ct);
            Add($"export of {events} events of every kind");
            await using var imported = NpgsqlDataSource.Create(await new PostgresFixture().CreateDatabaseAsync());
            var log = new NpgsqlEventLog(imported, ReadModelMigrations.All);
            await new LedgerImport(imported, log, TimeProvider.System).RunAsync(files, null, null, ct);
            wrong += await DigestAsync(imported, ct) == before ? 0 : 1;
            Add($"import of {events} events of every kind, into an empty database");
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        await ledger.ExecuteAsync(
            """
            update mt_events set data = jsonb_set(data, '{reason}', '"whx"') where ctid = (
              select ctid from mt_events where type = 'account_suspended' and stream_id = (
                select stream_id from mt_events where type = 'account_suspended' and stream_id not in ('account-a001', 'account-a002', 'account-a003', 'account-a004') limit 1
              ) limit 1
            );
            delete from mt_events where stream_id = 'account-a001' and version = 100;
            delete from mt_events where stream_id = 'account-a002' and version = (select version from mt_streams where id = 'account-a002');
            delete from mt_streams where id = 'account-a003';
            update mt_events set seq_id = -seq_id where stream_id = 'account-a004' and version in (50, 60);
            update mt_events m
            set seq_id = -o.seq_id
            from (select o.version, o.seq_id from mt_events o where o.stream_id = 'account-a004' and o.version in (50, 60)) o
            where m.stream_id = 'account-a004'
              and m.version = 110 - o.version;
            update pockets set remaining = remaining + 1 where account_id = 'a005' and pocket = 1;
            update journal_days set parts = parts + 1 where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)
            """
        );
        var found = await auditor.RunAsync(null, null, ct);
        foreach (
            var (code, place) in ((string, string)[])
                [
                    ("hash_mismatch", "account-"),
                    ("version_missing", "account-a001 version 100"),
                    ("version_missing", "account-a002 version"),
                    ("stream_missing", "account-a003 version 1"),
                    ("position_order", "account-a004 version"),
                    ("row_differs", "a005"),
                    ("not_checked", "account-a001 version 100"),
                ]
        )
        {
            if (found.Findings.Any(finding => finding.Code == code && finding.Place.Contains(place, StringComparison.Ordinal)))
                continue;
            wrong++;
            await Console.Error.WriteLineAsync($"not found: {code} at {place}");
        }

        Add($"audit of {events} events that were tampered with: {found.FindingsTotal} findings");

        void Add(string scenario)
        {
            report.Add(scenario, new(events / Stopwatch.GetElapsedTime(started).TotalSeconds, null, null, wrong));
            (started, wrong) = (Stopwatch.GetTimestamp(), 0);
        }
    }

    /// <summary>What an account was used for in ninety days, after millions of spends.</summary>
    public static async Task ActivityAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var (account, owner, events) = await OneAccountAsync(bed, TimeSpan.FromDays(89), ct);

        // A ledger that grew by itself has no readers that are millions of events behind, which would share the machine with what is measured.
        await using (var database = NpgsqlDataSource.Create(bed.ConnectionString))
        await using (
            var skip = database.CreateCommand("update mt_event_progression set last_seq_id = (select max(m.seq_id) from mt_events m)")
        )
            await skip.ExecuteNonQueryAsync(ct);
        await using var server = await bed.StartServerAsync(ct, [("Ledger__CheckpointInterval", "00:00:00")]);
        var to = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);
        var range = string.Create(CultureInfo.InvariantCulture, $"from={to.AddDays(-89):yyyy-MM-dd}&to={to:yyyy-MM-dd}");
        foreach (var group in (string[])["day", "day,tool", "hour,tool,model", "key"])
            report.Add(
                $"activity of 90 days by {group}, account with {events} events",
                await AskAsync(server.Url, owner, 200, _ => $"/v1/account/activity?{range}&group_by={group}&limit=1000", ct)
            );
        GC.KeepAlive(account);
    }

    /// <summary>Balance, journal and statement of a wallet with a million events, as of moments and positions all over its history.</summary>
    public static async Task AsOfAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var (account, owner, events) = await OneAccountAsync(bed, TimeSpan.FromDays(20), ct);
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using var server = await bed.StartServerAsync(ct, [("Ledger__JournalInterval", "00:00:00.1")]);

        // The reader of the log keeps totals on its way; a ledger that grew by itself has them.
        var started = Stopwatch.GetTimestamp();
        await using (
            var upTo = database.CreateCommand(
                "select coalesce((select p.position from journal_position p), 0) >= (select max(m.seq_id) from mt_events m)"
            )
        )
        {
            while (!(bool)(await upTo.ExecuteScalarAsync(ct))!)
                await Task.Delay(500, ct);
        }

        Tell("the books have caught up", started);
        var end = TimeProvider.System.GetUtcNow().AddHours(-2);
        var random = new Random(2);
        DateTimeOffset Moment() => end.AddSeconds(-random.Next(20 * 86_400));
        string Time(DateTimeOffset at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        string Position() => random.NextInt64(1, events).ToString(CultureInfo.InvariantCulture);
        foreach (
            var (what, key, path) in ((string, string, Func<int, string>)[])
                [
                    ("balance at a moment", "bench", _ => $"/admin/audit/balance?account={account}&at={Time(Moment())}"),
                    ("balance at a position", "bench", _ => $"/admin/audit/balance?account={account}&position={Position()}"),
                    (
                        "statement of a month at a moment",
                        owner,
                        _ => Moment() is var at ? $"/v1/account/statements/{at:yyyy-MM}?at={Time(at)}" : ""
                    ),
                    ("statement of the month", owner, _ => $"/v1/account/statements/{end.AddDays(-1):yyyy-MM}"),
                    ("100 entries of the journal", owner, _ => $"/v1/account/journal?from={Moment():yyyy-MM-dd}&limit=100"),
                    ("trial balance at a moment", "bench", _ => $"/admin/reports/trial-balance?at={Time(Moment())}"),
                    ("trial balance at a position", "bench", _ => $"/admin/reports/trial-balance?position={Position()}"),
                ]
        )
            report.Add($"{what}, wallet of {events} events", await AskAsync(server.Url, key, 40, path, ct));
    }

    private static async Task<(AccountId Account, string Owner, long Events)> OneAccountAsync(
        TestBed bed,
        TimeSpan span,
        CancellationToken ct
    )
    {
        var wanted = bed.Settings.Events == 0 ? Million : bed.Settings.Events;
        await using var forge = await LogForge.OpenAsync(bed.ConnectionString, ct);
        var end = TimeProvider.System.GetUtcNow().AddHours(-1);
        var accounts = await forge.OpenAccountsAsync(1, end - span, ct);
        await forge.SpendAsync(accounts, wanted - forge.Count, end - span, end, ct);
        await forge.EndAsync(ct);
        await bed.RunCommandAsync(["rebuild", "all"], ct);
        await bed.SettleAsync(ct);
        return (accounts[0].Account, forge.Owners[accounts[0].Account], wanted);
    }

    /// <summary>One request after the other, after some to warm up.</summary>
    private static async Task<Measurement> AskAsync(string url, string key, int times, Func<int, string> path, CancellationToken ct)
    {
        using var client = new HttpClient { BaseAddress = new(url), Timeout = TimeSpan.FromMinutes(5) };
        client.DefaultRequestHeaders.Add("Authorization", "Bearer " + key);
        var (took, errors) = (new List<double>(times), 0L);
        for (var n = -5; n < times; n++)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await client.GetAsync(path(n), ct);
            await answer.Content.ReadAsByteArrayAsync(ct);
            if (!answer.IsSuccessStatusCode && errors++ == 0)
                await Console.Error.WriteLineAsync($"{path(n)}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(ct)}");
            if (n >= 0)
                took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        took.Sort();
        return new(1000 * times / took.Sum(), took[times / 2], took[Math.Min(times - 1, times * 99 / 100)], errors);
    }

    private static void Tell(string what, long since) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what} after {Stopwatch.GetElapsedTime(since).TotalSeconds:0} s"));

    /// <summary>All rows of all read models in a few numbers.</summary>
    private static async Task<string> DigestAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        var digest = new List<string>();
        foreach (
            var table in (string[])
                [
                    "accounts",
                    "pockets",
                    "holds",
                    "referrals",
                    "billing",
                    "orders",
                    "keys",
                    "sign_ins",
                    "trail",
                    "usage_hourly",
                    "prices",
                    "rate_cards",
                ]
        )
        {
            await using var command = database.CreateCommand(
                $"select concat(count(*), ' ', sum(hashtextextended(to_jsonb(t)::text, 0)::numeric)) from {table} t"
            );
            command.CommandTimeout = 0;
            digest.Add($"{table} {await command.ExecuteScalarAsync(ct)}");
        }

        return string.Join('\n', digest);
    }

    private static async Task<long> CountAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select count(*) from mt_events");
        command.CommandTimeout = 0;
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }
}
