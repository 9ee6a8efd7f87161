using Ledger.Api.Application;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ledger.Api.Tests.Application;

/// <summary>Checkpoints come into being behind the back of the write path, and cost it nothing where they cannot.</summary>
public sealed class CheckpointWriterTests
{
    [Fact]
    public async Task An_account_that_passes_five_thousand_versions_leaves_a_checkpoint_behind()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1_000_000);
        await SpendAsync(app, account, 4_990, "before");
        (await app.QueryAsync("select count(*) from account_checkpoints")).ShouldBe(0L);

        await SpendAsync(app, account, 40, "across");
        await Eventually.IsSoAsync(async () => await app.QueryAsync("select count(*) from account_checkpoints") is 1L);
        var snapshots = app.Services.GetRequiredService<AccountSnapshots>();
        var found = (await snapshots.Checkpoints.FindAsync(account.Id, long.MaxValue, default)).ShouldNotBeNull();
        found.Account.Version.ShouldBeInRange(5_000, 5_033);
        var log = await app.EventsAsync(account.Id);
        EventStore.HashChain.FromHeaders(log[(int)found.Account.Version - 1].Headers, "hash").ShouldBe(found.LastHash.ToArray());
        found
            .Account.Wallet.Available(Unit.Credits, app.Clock.Now)
            .ShouldBe(
                Amount.Credits(1_000_000 - (5 * log.Take((int)found.Account.Version).Count(stored => stored.Type == "credits_spent")))
            );
    }

    [Fact]
    public async Task Spends_go_on_where_checkpoints_cannot_be_written()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1_000_000);
        await app.QueryAsync("alter table account_checkpoints add constraint never check (false)");
        await SpendAsync(app, account, 5_010, "lost");
        (await app.AvailableAsync(account.Id)).ShouldBe(1_000_000 - (5 * 5_010));
        (await app.QueryAsync("select count(*) from account_checkpoints")).ShouldBe(0L);

        // Nor does one that failed keep later ones from being written.
        await app.QueryAsync("alter table account_checkpoints drop constraint never");
        await SpendAsync(app, account, 5_010, "kept");
        await Eventually.IsSoAsync(async () =>
            await app.QueryAsync("select count(*) from account_checkpoints where version >= 10000") is 1L
        );
    }

    [Fact]
    public async Task What_does_not_fit_is_dropped_and_nobody_waits()
    {
        // Connections to an address where nobody answers: nothing that is offered can leave the queue but the first few.
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        await using var database = Npgsql.NpgsqlDataSource.Create(
            $"Host=127.0.0.1;Port={((System.Net.IPEndPoint)silent.LocalEndpoint).Port};Username=nobody;Timeout=60"
        );
        await using var writer = new CheckpointWriter(new(database), NullLogger.Instance);
        var snapshot = AccountSnapshot.Missing(new("a000"));
        var due = snapshot with { Account = snapshot.Account with { Version = 5_000 } };
        for (var n = 0; n < 100_000; n++)
            writer.Offer(4_999, due);
        writer.Waiting.ShouldBeLessThanOrEqualTo(256);
        writer.Offer(5_000, due with { Account = due.Account with { Version = 5_001 } });
    }

    private static async Task SpendAsync(LedgerApp app, TestAccount account, int times, string name)
    {
        foreach (var some in Enumerable.Range(0, times).Chunk(500))
            await Task.WhenAll(
                some.Select(n => app.ExecuteAsync(new Spend(account.Id, account.KeyId, "chat", Quantity.Of(1), $"{name}{n}")))
            );
    }
}
