using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Projections.Accounts;
using Npgsql;

namespace Ledger.Projections.Tests;

public sealed class PeopleTests
{
    private static readonly Person Ada = new(new("a000"), "Ada@Example.com", LedgerDatabase.Start);

    [Fact]
    public async Task A_person_is_found_by_account_and_by_address_without_regard_to_case()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var people = new People(ledger.Database);
        (await people.AddAsync(Ada, "hash", default)).ShouldBe(Ada);
        (await people.FindByEmailAsync("aDA@eXAMPLE.COM", default)).ShouldBe(Ada);
        (await people.FindAsync(Ada.Account, default)).ShouldBe(Ada);
        (await people.FindByEmailAsync("ada@example.org", default)).ShouldBeNull();
        (await people.FindAsync(new("a001"), default)).ShouldBeNull();
        (await ledger.LinesAsync("select c.account_id || ' ' || c.password_hash from credentials c")).ShouldBe(["a000 hash"]);
    }

    [Fact]
    public async Task An_address_belongs_to_who_came_first_whatever_its_case()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var people = new People(ledger.Database);
        await people.AddAsync(Ada, "hash", default);
        (await people.AddAsync(new(new("a001"), "ada@example.com", LedgerDatabase.Start), "other", default)).ShouldBe(Ada);
        (await people.FindAsync(new("a001"), default)).ShouldBeNull();
        (await ledger.LinesAsync("select c.account_id || ' ' || c.password_hash from credentials c")).ShouldBe(["a000 hash"]);
    }

    [Fact]
    public async Task Of_many_who_ask_for_one_address_at_once_one_gets_it()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var people = new People(ledger.Database);
        var owners = await Task.WhenAll(
            Enumerable
                .Range(0, 10)
                .Select(n => people.AddAsync(new(new($"a{n}"), "ada@example.com", LedgerDatabase.Start), "hash", default))
        );
        owners.Distinct().ShouldHaveSingleItem();
        (await ledger.QueryAsync<long>("select count(*) from credentials")).ShouldBe(1);
    }

    [Fact]
    public async Task Deleting_a_person_deletes_the_credentials_and_leaves_the_account()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        await history.SendAsync(new OpenAccount(Ada.Account, "DE"));
        var people = new People(ledger.Database);
        await people.AddAsync(Ada, "hash", default);
        await ledger.ExecuteAsync("delete from people");
        (await ledger.QueryAsync<long>("select count(*) from credentials")).ShouldBe(0);
        (await people.SearchAsync("", "", 10, default)).ShouldBe([new(Ada.Account, null, "open", "DE", LedgerDatabase.Start)]);
    }

    [Fact]
    public async Task A_whole_id_or_address_is_found_without_looking_through_all_accounts()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using (var history = await ledger.OpenHistoryAsync(1, 3))
        {
            foreach (var id in history.States.Keys.ToList())
                await history.SendAsync(new OpenAccount(id, null));
        }

        await using (var adding = NpgsqlDataSource.Create(ledger.ConnectionString))
        {
            await new People(adding).AddAsync(Ada, null, default);
            await new People(adding).AddAsync(new(new("a001"), "a000@example.com", LedgerDatabase.Start), null, default);
        }

        await ledger.ExecuteAsync(
            """
            insert into accounts
            select (jsonb_populate_record(a, jsonb_build_object('account_id', 'b' || n))).*
            from accounts a, generate_series(1, 2000) n
            where a.account_id = 'a002'
            """
        );
        await ledger.ExecuteAsync("insert into people select 'b' || n, 'b' || n || '@example.com', now() from generate_series(1, 2000) n");
        await ledger.ExecuteAsync("analyze");
        await using (var asking = NpgsqlDataSource.Create(ledger.ConnectionString))
        {
            var people = new People(asking);
            (await people.FindExactlyAsync("ADA@example.com", default)).Select(found => found.Email).ShouldBe(["Ada@Example.com"]);
            (await people.FindExactlyAsync("a000", default)).Select(found => found.Account.Value).ShouldBe(["a000"]);
            (await people.FindExactlyAsync("example.com", default)).ShouldBeEmpty();
            (await people.FindExactlyAsync("", default)).ShouldBeEmpty();
        }

        // Figures arrive when who asked has gone.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!await ledger.QueryAsync<bool>("select idx_scan >= 4 from pg_stat_user_indexes where indexrelname = 'ux_people_email'"))
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        (
            await ledger.LinesAsync(
                "select t.relname || ' ' || t.seq_tup_read from pg_stat_user_tables t where t.relname in ('accounts', 'people') and t.seq_tup_read >= 2000"
            )
        ).ShouldBeEmpty();
    }

    [Fact]
    public async Task Accounts_are_searched_by_id_and_by_part_of_the_address_in_pages()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 5);
        var people = new People(ledger.Database);
        foreach (var id in history.States.Keys.ToList())
            await history.SendAsync(new OpenAccount(id, null));
        await people.AddAsync(Ada, null, default);
        await people.AddAsync(new(new("a002"), "bob_%@example.com", LedgerDatabase.Start), null, default);
        await history.SendAsync(new SuspendAccount(new("a003"), EventIds.Request(new("a003"), "1"), "why"));

        (await people.SearchAsync("", "", 2, default)).Select(found => found.Account.Value).ShouldBe(["a000", "a001"]);
        (await people.SearchAsync("", "a001", 2, default)).Select(found => found.Account.Value).ShouldBe(["a002", "a003"]);
        (await people.SearchAsync("", "a003", 2, default)).Select(found => found.Account.Value).ShouldBe(["a004"]);
        (await people.SearchAsync("EXAMPLE", "", 9, default)).Select(found => found.Account.Value).ShouldBe(["a000", "a002"]);
        (await people.SearchAsync("_%", "", 9, default)).Select(found => found.Account.Value).ShouldBe(["a002"]);
        (await people.SearchAsync("a003", "", 9, default)).ShouldBe([new(new("a003"), null, "suspended", null, LedgerDatabase.Start)]);
        (await people.SearchAsync("a00", "", 9, default)).ShouldBeEmpty();
    }
}
