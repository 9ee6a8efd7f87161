using Ledger.Domain.Payments;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>A server that is killed between what Stripe tells it and its answer: Stripe tells it again, and there is one grant.</summary>
public sealed class StripeCrashTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Theory]
    [InlineData("orders", 0)]
    [InlineData("provider_events", 1)]
    public async Task A_server_killed_before_its_answer_grants_once(string stuckAt, int grantsBefore)
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        var clock = new FixedClock { Now = TimeProvider.System.GetUtcNow() };
        await using var stripe = await StripeStandIn.StartAsync(TimeProvider.System);
        var (account, session) = await OrderAsync(database, clock, stripe);
        var paid = stripe.World.Pay(session);
        await using var connections = NpgsqlDataSource.Create(database + ";Pooling=false");

        var killed = await StartAsync(database, stripe);
        await using (var somebody = await connections.OpenConnectionAsync())
        await using (var transaction = await somebody.BeginTransactionAsync())
        {
            // The one is written by the append itself, the other after it and before the answer.
            await using (var hold = new NpgsqlCommand($"lock table {stuckAt} in access exclusive mode", somebody, transaction))
                await hold.ExecuteNonQueryAsync();
            var delivery = stripe.DeliverAsync(killed, paid.Completed);
            await using var waiting = new NpgsqlCommand(
                """
                select exists (
                  select
                  from pg_locks l
                  where l.relation = $1::regclass
                    and l.database = (select oid from pg_database where datname = current_database())
                    and not l.granted
                )
                """,
                somebody,
                transaction
            )
            {
                Parameters = { new() { Value = stuckAt } },
            };
            await Eventually.IsSoAsync(async () => await waiting.ExecuteScalarAsync() is true, () => killed.Output);
            delivery.IsCompleted.ShouldBeFalse();
            await killed.KillAsync();
            await Should.ThrowAsync<HttpRequestException>(() => delivery);
            await killed.DisposeAsync();

            // What the killed server had asked for may still be under way in the database; it must not outlive the lock.
            await using var gone = new NpgsqlCommand(
                "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
                somebody,
                transaction
            );
            await gone.ExecuteScalarAsync();
            await transaction.RollbackAsync();
        }

        (await GrantsAsync()).ShouldBe(grantsBefore);

        await using var server = await StartAsync(database, stripe);
        foreach (var telling in (Telling[])[paid.Completed, paid.Completed, stripe.World.Again(paid.Completed)])
            (await stripe.DeliverAsync(server, telling)).ShouldBe(200, """{"received":true}""");
        (await GrantsAsync()).ShouldBe(1);
        (await connections.QueryAsync<string>("select status from orders")).ShouldBe("paid");
        (await server.GetAsync("/api/v1/credits", account.Key)).ShouldBe(200).Text("payg_balance").ShouldBe("75000");

        Task<long> GrantsAsync() => connections.QueryAsync<long>("select count(*) from mt_events where type = 'credits_granted'");
    }

    /// <summary>An account with an order that waits to be paid, made by a server that is gone.</summary>
    private static async Task<(TestAccount Account, string Session)> OrderAsync(string database, FixedClock clock, StripeStandIn stripe)
    {
        await using var app = await LedgerApp.StartAsync(database, clock, settings: stripe.Settings);
        var account = await app.OpenAccountAsync();
        var checkout = await app.PostAsync("/api/v1/credits/payg/create-checkout-session", account.Key, new { amount_usd = 10 });
        (await app.ReadAsync(account.Id)).Orders.All.Values.Single().Status.ShouldBe(OrderStatus.Open);
        return (account, checkout.ShouldBe(200).Text("session_id")!);
    }

    private async Task<LedgerProcess> StartAsync(string database, StripeStandIn stripe)
    {
        var server = LedgerProcess.Launch(_folder.Data, database, stripe.Settings);
        await server.ListensAsync();
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        return server;
    }
}
