using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Projections.Tests;

public sealed class RebuildTests
{
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task What_is_written_live_is_what_is_rebuilt_row_for_row(int seed)
    {
        await using var ledger = await FilledAsync(seed);
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).ShouldBeEmpty();
        var before = await ledger.DumpAsync();
        await RebuilderOf(ledger).RebuildAsync("all", null, default);
        (await ledger.DumpAsync()).ShouldBe(before);
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Theory]
    [InlineData("balances", "accounts", "update accounts set credits_spent = credits_spent + 1 where account_id = 'a000'")]
    [InlineData("balances", "accounts", "update accounts set version = version - 1 where account_id = 'a000'")]
    [InlineData("balances", "accounts", "update accounts set last_hash = '\\x00' where account_id = 'a000'")]
    [InlineData("balances", "accounts", "delete from accounts where account_id = 'a001'")]
    [InlineData("balances", "pockets", "update pockets set remaining = remaining + 1 where account_id = 'a000' and pocket = 1")]
    [InlineData("balances", "pockets", "delete from pockets where account_id = 'a000' and pocket = 1")]
    [InlineData(
        "balances",
        "pockets",
        "insert into pockets select 'ghost', pocket, unit, source, scope, granted, remaining, held, expires_at, opened_at, opened_by from pockets where account_id = 'a000' and pocket = 1"
    )]
    [InlineData("balances", "holds", "delete from holds where (account_id, hold_id) = (select account_id, hold_id from holds limit 1)")]
    [InlineData(
        "keys",
        "keys",
        "update keys set used = used + 1 where (account_id, key_id) = (select account_id, key_id from keys limit 1)"
    )]
    [InlineData("payments", "orders", "update orders set refunded = refunded + 1 where ctid = (select ctid from orders limit 1)")]
    [InlineData("payments", "orders", "update orders set state = '{}' where ctid = (select ctid from orders limit 1)")]
    [InlineData("payments", "orders", "delete from orders where ctid = (select ctid from orders limit 1)")]
    [InlineData("payments", "billing", "update billing set due_at = now() where ctid = (select ctid from billing limit 1)")]
    [InlineData("payments", "billing", "delete from billing where ctid = (select ctid from billing limit 1)")]
    [InlineData(
        "usage",
        "usage_hourly",
        "update usage_hourly set credits = credits - 1 where ctid = (select ctid from usage_hourly limit 1)"
    )]
    [InlineData("prices", "prices", "update prices set credits_nanos = 7 where card = 1 and tool = 'chat'")]
    [InlineData("prices", "prices", "delete from prices where card = 2 and tool = 'chat'")]
    public async Task A_row_that_was_tampered_with_is_reported_and_rebuilt(string model, string table, string tamper)
    {
        await using var ledger = await FilledAsync(21);
        var before = await ledger.DumpAsync();
        await ledger.ExecuteAsync(tamper);
        (await ledger.DumpAsync()).ShouldNotBe(before);

        var drift = (await RebuilderOf(ledger).CompareAsync(model, null, default)).ShouldHaveSingleItem();
        drift.Table.ShouldBe(table);
        drift.Key.ShouldContain(model == "prices" ? "card" : "account_id");
        (drift.Live is null).ShouldBe(tamper.StartsWith("delete", StringComparison.Ordinal));
        (drift.Rebuilt is null).ShouldBe(tamper.StartsWith("insert", StringComparison.Ordinal));
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).ShouldBe([drift]);

        await RebuilderOf(ledger).RebuildAsync(model, null, default);
        (await ledger.DumpAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task Where_all_rows_are_wrong_the_first_are_told_of_and_the_others_counted()
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            "insert into pockets select 'ghost', n, unit, source, scope, granted, remaining, held, expires_at, opened_at, opened_by from pockets, generate_series(1, 1500) n where account_id = 'a000' and pocket = 1"
        );
        var drifts = await RebuilderOf(ledger).CompareAsync("balances", null, default);
        drifts.Count.ShouldBe(201);
        drifts[^1].ShouldBe(new("pockets", "and 1300 more", "", ""));
    }

    [Fact]
    public async Task One_model_is_rebuilt_and_the_others_are_left_as_they_are()
    {
        await using var ledger = await FilledAsync(22);
        await ledger.ExecuteAsync("update keys set used = used + 1; update prices set credits_nanos = 7");
        await RebuilderOf(ledger).RebuildAsync("balances", null, default);
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).Select(drift => drift.Table).Distinct().ShouldBe(["keys", "prices"]);
    }

    [Theory]
    [InlineData("all")]
    [InlineData("balances")]
    [InlineData("payments")]
    [InlineData("keys")]
    [InlineData("usage")]
    public async Task Writing_and_loading_go_on_while_a_model_is_rebuilt_and_nothing_is_lost(string model)
    {
        await using var ledger = await FilledAsync(31);
        using var done = new CancellationTokenSource();
        var writing = Enumerable.Range(0, 2).Select(n => Task.Run(() => WriteAsync(n))).ToList();
        for (var again = 0; again < 3; again++)
        {
            await RebuilderOf(ledger).RebuildAsync(model, null, default);
            (await RebuilderOf(ledger).CompareAsync(model, null, default)).ShouldBeEmpty();
        }

        await done.CancelAsync();
        (await Task.WhenAll(writing)).ShouldAllBe(steps => steps > 0);
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).ShouldBeEmpty();

        async Task<int> WriteAsync(int n)
        {
            // Each writes with the statements that it prepared before the first rebuild, over all of them.
            await using var history = await ledger.OpenHistoryAsync(n, 10, $"w{n}");
            var steps = 0;
            while (!done.IsCancellationRequested)
            {
                await history.StepAsync();
                var loaded = await ledger.Snapshots.LoadAsync([.. history.States.Keys], default);
                foreach (var (id, state) in history.States)
                    History.Describe(loaded[id]).ShouldBe(History.Describe(state));
                steps++;
            }

            return steps;
        }
    }

    [Fact]
    public async Task A_long_stream_is_rebuilt_page_by_page()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(41, 1);
        var id = new AccountId("a000");
        await history.SendAsync(
            new OpenAccount(id, null),
            new GrantCredits(id, Amount.Credits(1_000_000), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(id, "key")
        );
        for (var batch = 0; batch < 12; batch++)
            await history.SendAsync(
                Enumerable.Range(batch * 1000, 1000).Select(n => new Spend(id, new("key"), "chat", Quantity.Of(1), $"{n}"))
            );
        var before = await ledger.DumpAsync();
        var reports = new List<RebuildProgress>();
        await RebuilderOf(ledger).RebuildAsync("all", new Reports(reports.Add), default);
        (await ledger.DumpAsync()).ShouldBe(before);
        reports.Last(report => report.Model == "all").ShouldBe(new("all", 1, 1, 12_003, 12_003));
    }

    [Fact]
    public async Task A_rebuild_that_was_killed_half_way_leaves_the_live_tables_alone_and_the_next_one_succeeds()
    {
        await using var ledger = await FilledAsync(51);
        var before = await ledger.DumpAsync();
        await Should.ThrowAsync<NpgsqlException>(() =>
            RebuilderOf(ledger)
                .RebuildAsync(
                    "all",
                    new Reports(report =>
                    {
                        if (report.AccountsDone > 0)
                            ledger
                                .ExecuteAsync(
                                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'ledger-rebuild' and datname = current_database()"
                                )
                                .GetAwaiter()
                                .GetResult();
                    }),
                    default
                )
        );
        (await ledger.DumpAsync()).ShouldBe(before);
        (await ledger.QueryAsync<long>("select count(*) from ledger_rebuild.accounts")).ShouldBeGreaterThan(0);

        // Whoever starts next drops the half; not while another rebuild works in it.
        (await RebuilderOf(ledger).DropHalfAsync(default)).ShouldBeTrue();
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
        var during = true;
        await RebuilderOf(ledger)
            .RebuildAsync(
                "balances",
                new Reports(_ =>
                {
                    RebuilderOf(ledger).DropHalfAsync(default).GetAwaiter().GetResult().ShouldBeTrue();
                    during &= ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is not null").GetAwaiter().GetResult();
                }),
                default
            );
        during.ShouldBeTrue();

        await RebuilderOf(ledger).RebuildAsync("all", null, default);
        (await ledger.DumpAsync()).ShouldBe(before);
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Fact]
    public async Task A_rebuild_that_is_given_up_cleans_up_behind_itself()
    {
        await using var ledger = await FilledAsync(52);
        using var patience = new CancellationTokenSource();
        await Should.ThrowAsync<OperationCanceledException>(() =>
            RebuilderOf(ledger).RebuildAsync("all", new Reports(_ => patience.Cancel()), patience.Token)
        );
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Fact]
    public async Task A_second_rebuild_is_refused_while_one_runs()
    {
        await using var ledger = await FilledAsync(53);
        var refusals = new List<string>();
        await RebuilderOf(ledger)
            .RebuildAsync(
                "all",
                new Reports(_ =>
                    refusals.Add(
                        Should
                            .Throw<RebuildRefusedException>(() =>
                                RebuilderOf(ledger).CompareAsync("keys", null, default).GetAwaiter().GetResult()
                            )
                            .Message
                    )
                ),
                default
            );
        refusals.Distinct().ShouldBe(["Another rebuild or comparison of read models runs on this database. Try again when it has ended."]);
    }

    [Fact]
    public async Task An_unknown_model_is_refused_with_the_names_of_those_there_are()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        (
            await Should.ThrowAsync<ArgumentException>(() => RebuilderOf(ledger).RebuildAsync("ballances", null, default))
        ).Message.ShouldStartWith(
            "There is no read model 'ballances'. There are: balances, payments, keys, usage, prices, checkpoints, all."
        );
    }

    [Fact]
    public async Task Writers_that_hold_the_tables_are_waited_for_and_never_held_up_for_long()
    {
        await using var ledger = await FilledAsync(54);
        await using var connection = await ledger.Database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var read = new NpgsqlCommand("select count(*) from balances", connection))
            await read.ExecuteScalarAsync();

        var rebuilding = RebuilderOf(ledger).RebuildAsync("balances", null, default);
        await using (var history = await ledger.OpenHistoryAsync(55, 5, "b"))
        {
            for (var step = 0; step < 40; step++)
                await history.StepAsync();
        }

        rebuilding.IsCompleted.ShouldBeFalse();
        await transaction.CommitAsync();
        await rebuilding;
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Whoever_might_read_the_tables_still_may_when_they_are_replaced()
    {
        await using var ledger = await FilledAsync(56);
        const string Grants = """
            select c.relname || ' ' || a.privilege_type
            from pg_class c
            cross join lateral aclexplode(c.relacl) a
            where c.relnamespace = 'public'::regnamespace
              and a.grantee = 0
            order by 1
            """;
        await ledger.ExecuteAsync("grant select on accounts, keys, balances to public");
        await RebuilderOf(ledger).RebuildAsync("all", null, default);
        (await ledger.LinesAsync(Grants)).ShouldBe(["accounts SELECT", "balances SELECT", "keys SELECT"]);

        // Of a table, or of some of its columns only.
        const string OfColumns = """
            select c.relname || ' ' || b.attname || ' ' || a.privilege_type || ' ' || a.is_grantable
            from pg_class c
            join pg_attribute b on b.attrelid = c.oid
            cross join lateral aclexplode(b.attacl) a
            where c.relnamespace = 'public'::regnamespace
            order by 1
            """;
        await ledger.ExecuteAsync(
            "grant select (account_id, remaining), update (remaining) on pockets to pg_monitor; grant select (account_id) on balances to pg_monitor with grant option"
        );
        await RebuilderOf(ledger).RebuildAsync("balances", null, default);
        (await ledger.LinesAsync(OfColumns)).ShouldBe([
            "balances account_id SELECT true",
            "pockets account_id SELECT false",
            "pockets remaining SELECT false",
            "pockets remaining UPDATE false",
        ]);
    }

    [Theory]
    [InlineData("create view report as select * from accounts", "view public.report")]
    [InlineData("create materialized view report as select b.account_id from balances b", "materialized view public.report")]
    [InlineData(
        "create table notes (account_id varchar collate \"C\" references accounts)",
        "constraint notes_account_id_fkey on table public.notes"
    )]
    public async Task A_rebuild_is_refused_where_something_of_somebody_elses_depends_on_the_tables(string dependent, string name)
    {
        await using var ledger = await FilledAsync(58);
        var before = await ledger.DumpAsync();
        await ledger.ExecuteAsync(dependent);
        var reports = new List<RebuildProgress>();
        foreach (var model in (string[])["balances", "all"])
            (
                await Should.ThrowAsync<RebuildRefusedException>(() =>
                    RebuilderOf(ledger).RebuildAsync(model, new Reports(reports.Add), default)
                )
            ).Message.ShouldBe(
                $"The read models are replaced by a rebuild, and something that is not the ledger's depends on them: {name}. Drop it, and make it again after the rebuild; nothing has been changed."
            );
        reports.ShouldBeEmpty("it is refused before the log is read");
        await RebuilderOf(ledger).RebuildAsync("usage", null, default);
        (await RebuilderOf(ledger).CompareAsync("all", null, default)).ShouldBeEmpty();
        (await ledger.DumpAsync()).ShouldBe(before);
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Fact]
    public async Task What_comes_to_depend_on_the_tables_during_a_rebuild_stops_it_with_the_same_words()
    {
        await using var ledger = await FilledAsync(59);
        var before = await ledger.DumpAsync();
        (
            await Should.ThrowAsync<RebuildRefusedException>(() =>
                RebuilderOf(ledger)
                    .RebuildAsync(
                        "balances",
                        new Reports(_ =>
                            ledger.ExecuteAsync("create or replace view report as select 1 from holds").GetAwaiter().GetResult()
                        ),
                        default
                    )
            )
        ).Message.ShouldContain("view public.report");
        (await ledger.DumpAsync()).ShouldBe(before);
        (await ledger.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Fact]
    public async Task The_schema_is_the_same_after_a_rebuild_as_before()
    {
        await using var ledger = await FilledAsync(57);
        const string Schema = """
            select c.relname || ' ' || c.relkind::text || ' ' || coalesce(array_to_string(c.reloptions, ','), '') || ' ' || case c.relkind when 'i' then pg_get_indexdef(c.oid) when 'v' then pg_get_viewdef(c.oid) else '' end
              || ' ' || coalesce((select string_agg(pg_get_constraintdef(k.oid), '; ' order by k.conname) from pg_constraint k where k.conrelid = c.oid), '')
            from pg_class c
            where c.relnamespace = 'public'::regnamespace
              and c.relkind in ('r', 'i', 'v')
            order by c.relname
            """;
        var before = await ledger.LinesAsync(Schema);
        await RebuilderOf(ledger).RebuildAsync("all", null, default);
        (await ledger.LinesAsync(Schema)).ShouldBe(before);
        (await ledger.Log.CheckSchemaAsync(default)).ShouldBeNull();
    }

    private static Rebuilder RebuilderOf(LedgerDatabase ledger) => new(ledger.Database, TimeProvider.System);

    private static async Task<LedgerDatabase> FilledAsync(int seed)
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await ledger.PublishAsync(Quantity.Of(1));
        await ledger.PublishAsync(Quantity.Of(2));
        await using var history = await ledger.OpenHistoryAsync(seed, 15);
        for (var step = 0; step < 60; step++)
            await history.StepAsync();
        return ledger;
    }

    private sealed class Reports(Action<RebuildProgress> report) : IProgress<RebuildProgress>
    {
        public void Report(RebuildProgress value) => report(value);
    }
}
