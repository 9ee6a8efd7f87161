using System.Text;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections.Audit;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Tests;

/// <summary>One pass over the log in the order of positions comes to the same as going over it stream by stream.</summary>
public sealed class LogPassTests
{
    [Fact]
    public async Task The_histories_that_are_rebuilt_and_audited_have_every_kind_of_event()
    {
        var kinds = new HashSet<Type>();
        foreach (var seed in (int[])[11, 12, 13])
        {
            await using var ledger = await LedgerDatabase.CreateAsync();
            await using var history = await LongAsync(ledger, seed);
            kinds.UnionWith(history.Events.Select(@event => @event.GetType()));
        }

        typeof(AccountEvent)
            .Assembly.GetTypes()
            .Where(type => !type.IsAbstract && type.IsSubclassOf(typeof(AccountEvent)) && !kinds.Contains(type))
            .Select(type => type.Name)
            .ShouldBeEmpty();
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task Some_thousand_events_of_every_kind_are_replayed_rebuilt_and_audited_in_parts_and_every_number_is_the_live_one(
        int seed
    )
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await LongAsync(ledger, seed);
        var books = new JournalSums(ledger.Database, ledger.Log, ledger.Snapshots, markEvery: 200);
        foreach (var page in (await ledger.Log.ReadLogAsync(0, 100_000, default)).Chunk(500))
            await books.AddAsync(page, default);
        history.Events.Count().ShouldBeGreaterThan(2000);

        foreach (var (id, state) in history.States)
            History.Describe(await ledger.Snapshots.FoldWholeAsync(id, state.Account.Version, default)).ShouldBe(History.Describe(state));
        var before = await ledger.DumpAsync();
        var rebuilder = new Rebuilder(ledger.Database, TimeProvider.System, accountsAtOnce: 4);
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
        await rebuilder.RebuildAsync("all", null, default);
        (await ledger.DumpAsync()).ShouldBe(before);
        var report = await new Auditor(
            ledger.Database,
            TimeProvider.System,
            [new CheckpointCheck(), new StreamCheck(), new ReadModelCheck(), new TrialBalanceCheck(books)]
        ).RunAsync(null, null, default);
        report.Findings.ShouldBeEmpty();
        report
            .Checks.Single(check => check.Name == "streams")
            .Counted.ShouldContain(new KeyValuePair<string, long>("events", history.Events.Count() + 1));
    }

    [Fact]
    public async Task Events_that_were_exchanged_in_the_log_are_read_in_the_order_of_versions_all_the_same()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await LongAsync(ledger, 14, steps: 40);
        var before = await ledger.DumpAsync();
        await ledger.ExecuteAsync(
            """
            update mt_events m set seq_id = -m.seq_id where m.stream_id = 'account-a000' and m.version in (3, 7);
            update mt_events m
            set seq_id = -o.seq_id
            from (select o.version, o.seq_id from mt_events o where o.stream_id = 'account-a000' and o.version in (3, 7)) o
            where m.stream_id = 'account-a000'
              and m.version = 10 - o.version
            """
        );
        (await new Rebuilder(ledger.Database, TimeProvider.System).CompareAsync("all", null, default)).ShouldBeEmpty();
        await new Rebuilder(ledger.Database, TimeProvider.System).RebuildAsync("all", null, default);
        (await ledger.DumpAsync()).ShouldBe(before);
        (await new Auditor(ledger.Database, TimeProvider.System, [new StreamCheck(), new ReadModelCheck()]).RunAsync(null, null, default))
            .Findings.Select(finding => finding.Code)
            .Distinct()
            .ShouldBe(["position_order"]);
    }

    [Fact]
    public async Task What_comes_over_the_wire_is_what_a_query_reads_and_hashes_the_same()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await LongAsync(ledger, 15);
        var all = await ledger.Log.ReadLogAsync(0, 100_000, default);
        using var form = new StoredForm();
        var (previous, hash) = (new byte[32], new byte[32]);
        var (read, fast) = (0, 0);
        await new LogCopy(ledger.Database).ReadAsync(
            new(0, all[^1].Position, null, null, true),
            _ => ValueTask.FromResult(new LogBlock()),
            (block, _) =>
            {
                foreach (var raw in block)
                {
                    var stored = all[read++];
                    (raw.Position, raw.Version, raw.At, new Guid(raw.Id, bigEndian: true)).ShouldBe(
                        (stored.Position, stored.Version, stored.At, stored.Id)
                    );
                    Encoding.UTF8.GetString(raw.StreamId).ShouldBe(stored.StreamId);
                    Encoding.UTF8.GetString(raw.Type).ShouldBe(stored.Type);
                    Encoding.UTF8.GetString(raw.Data).ShouldBe(stored.Data);
                    Encoding.UTF8.GetString(raw.Headers).ShouldBe(stored.Headers);
                    if (form.Verify(raw, previous, hash) != RawVerdict.Holds)
                    {
                        (stored.Data + stored.Headers).ShouldMatch("\"(metadata|address)\"");
                        continue;
                    }

                    fast++;
                    hash.ShouldBe(stored.ReadHash());
                    previous.ShouldBe(HashChain.FromHeaders(stored.Headers, "prev"));

                    // Whatever is changed, the fast way does not say that it holds.
                    var changed = raw.Data.ToArray();
                    var digit = Array.FindLastIndex(changed, b => b is >= (byte)'1' and <= (byte)'8');
                    if (digit >= 0)
                    {
                        changed[digit]++;
                        form.Verify(Copy(raw, data: changed), previous, hash).ShouldBe(RawVerdict.Unclear);
                    }

                    form.Verify(Copy(raw, version: raw.Version + 1), previous, hash).ShouldBe(RawVerdict.Unclear);
                    form.Verify(Copy(raw, micros: raw.Micros + 1), previous, hash).ShouldBe(RawVerdict.Unclear);
                }

                return ValueTask.CompletedTask;
            },
            default
        );
        read.ShouldBe(all.Count);
        fast.ShouldBeGreaterThan(read / 2);
    }

    [Fact]
    public async Task Tuples_larger_than_a_block_come_whole()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await ledger.ExecuteAsync(
            """
            insert into mt_events (seq_id, id, stream_id, version, data, type, timestamp)
            select n, gen_random_uuid(), 's', n, jsonb_build_object('text', repeat('x', (n % 5) * 400000)), 't', now()
            from generate_series(1, 12) n
            """
        );
        var lengths = new List<int>();
        await new LogCopy(ledger.Database).ReadAsync(
            new(0, 12, null, null, true),
            _ => ValueTask.FromResult(new LogBlock()),
            (block, _) =>
            {
                foreach (var raw in block)
                {
                    raw.Headers.IsEmpty.ShouldBeTrue();
                    lengths.Add(raw.Data.Length);
                }

                return ValueTask.CompletedTask;
            },
            default
        );
        lengths.ShouldBe(Enumerable.Range(1, 12).Select(n => "{\"text\": \"\"}".Length + (n % 5 * 400_000)));
    }

    [Theory]
    [InlineData(
        """{"key":"k","card":2,"paid":[{"parts":5000000,"pocket":1}],"tool":"chat","entry":"tools/chat","units":"1","charged":{"credits":5000000},"reference":"r \"1\" \u00fc"}""",
        true
    )]
    [InlineData(
        """{"key":"","card":2,"paid":[{"pocket":1,"parts":7},{"pocket":12,"parts":8}],"tool":"ü","entry":"e","units":"123456789","charged":{"usd":0},"reference":""}""",
        true
    )]
    [InlineData("""{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"000","charged":{"usd":1},"reference":"r"}""", false)]
    [InlineData("""{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"0","charged":{"usd":1},"reference":"r"}""", true)]
    [InlineData("""{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"0.5","charged":{"usd":1},"reference":"r"}""", false)]
    [InlineData(
        """{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"1","charged":{"usd":1},"reference":"r","audioDuration":"1"}""",
        false
    )]
    [InlineData(
        """{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"1","charged":{"usd":1},"reference":"r","metadata":"{}"}""",
        false
    )]
    [InlineData("""{"key":"k\n","card":2,"paid":[],"tool":"t","entry":"e","units":"1","charged":{"usd":1},"reference":"r"}""", false)]
    [InlineData("""{"key":"k","card":2,"paid":[],"tool":"t","entry":"e","units":"1","charged":{"usd":1}}""", false)]
    [InlineData("""{"key":"k","card":2,"paid":null,"tool":"t","entry":"e","units":"1","charged":{"usd":1},"reference":"r"}""", false)]
    public void A_spend_is_read_the_fast_way_as_the_general_way_reads_it_or_not_at_all(string json, bool isFast)
    {
        var parser = new SpendParser();
        parser.TryRead(Encoding.UTF8.GetBytes(json.Replace("\"k\"", "\"other\"", StringComparison.Ordinal)));
        var spent = parser.TryRead(Encoding.UTF8.GetBytes(json));
        (spent is not null).ShouldBe(isFast);
        if (spent is null)
            return;
        var general = JsonSerializer.Deserialize(json, EventJson.Default.CreditsSpent)!;
        spent.Paid.ShouldBe(general.Paid);
        (spent with { Paid = general.Paid }).ShouldBe(general);
    }

    private static RawEvent Copy(in RawEvent raw, byte[]? data = null, long? version = null, long? micros = null) =>
        new()
        {
            Position = raw.Position,
            Id = raw.Id,
            StreamId = raw.StreamId,
            Version = version ?? raw.Version,
            Type = raw.Type,
            Micros = micros ?? raw.Micros,
            Data = data ?? raw.Data,
            Headers = raw.Headers,
        };

    private static async Task<History> LongAsync(LedgerDatabase ledger, int seed, int steps = 260)
    {
        await ledger.PublishAsync(Quantity.Of(1));
        var history = await ledger.OpenHistoryAsync(seed, 15);
        for (var step = 0; step < steps; step++)
            await history.StepAsync();
        return history;
    }
}
