using Ledger.Domain.Money;
using Ledger.Projections.Notifications;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Notifications;

/// <summary>At least once and in order, by itself, on one node at a time, through crashes and outages.</summary>
public sealed class SenderTests
{
    private static readonly (string, string) BySelf = ("Notifications:Interval", "00:00:00.020");

    [Fact]
    public async Task By_itself_it_tells_what_happens_in_the_order_in_which_it_did()
    {
        await using var world = await NotificationWorld.CreateAsync(BySelf);
        var accounts = new List<TestAccount>();
        for (var n = 0; n < 10; n++)
            accounts.Add(await world.OpenAsync($"/{n}"));
        foreach (var account in accounts)
            await world.SpendAsync(account, 10);
        foreach (var account in accounts)
            await world.SpendAsync(account, 30);
        foreach (var account in accounts)
            await world.App.GrantAsync(account.Id, Amount.Credits(100));
        await Eventually.IsSoAsync(() => world.Receiver.All.Count == 30);
        for (var n = 0; n < 10; n++)
            world.Told($"/{n}").ShouldBe("credits.warning credits.critical credits.recovered");
        await Eventually.IsSoAsync(async () => await WaitingAsync(world.App) == 0);
        world.Receiver.All.Count.ShouldBe(30);
    }

    [Fact]
    public async Task Several_nodes_tell_everything_once()
    {
        await using var world = await NotificationWorld.CreateAsync(BySelf);
        await using var other = await LedgerApp.StartAsync(
            world.App.Database,
            world.App.Clock,
            settings: new Dictionary<string, string> { [BySelf.Item1] = BySelf.Item2, ["Notifications:AllowPrivateNetworks"] = "true" }
        );
        for (var n = 0; n < 20; n++)
            await world.SpendAsync(await world.OpenAsync($"/{n}"), 10);
        await Eventually.IsSoAsync(async () => world.Receiver.All.Count == 20 && await WaitingAsync(world.App) == 0);
        world.Receiver.All.Select(received => received.Headers["Ledger-Event-Id"]).Distinct().Count().ShouldBe(20);
    }

    [Fact]
    public async Task What_was_sent_when_the_database_was_lost_is_sent_again_under_the_same_name()
    {
        await using var world = await NotificationWorld.CreateAsync();
        await using var operatorsOwn = NpgsqlDataSource.Create(world.App.Database + ";Pooling=false");
        world.Receiver.Answer = async _ =>
        {
            await operatorsOwn.ExecuteAsync(
                """
                select pg_terminate_backend(pid)
                from pg_stat_activity
                where datname = current_database()
                  and application_name = 'ledger'
                """
            );
            return new(200);
        };
        var account = await world.OpenAsync();
        await world.SpendAsync(account, 10);
        await world.FollowAsync();
        await Should.ThrowAsync<NpgsqlException>(() => world.SendAsync());
        world.Receiver.All.Count.ShouldBe(1);

        world.Receiver.Answer = _ => Task.FromResult(new Reply(200));
        await Eventually.IsSoAsync(async () =>
        {
            try
            {
                return await world.SendAsync() == 1;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        });
        world.Receiver.All.Count.ShouldBe(2);
        world.Receiver.All.Select(received => received.Headers["Ledger-Event-Id"]).Distinct().ShouldHaveSingleItem();
        world.Receiver.All.Select(received => received.Text).Distinct().ShouldHaveSingleItem();
        (await world.SendAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task A_server_that_is_killed_between_sending_and_marking_sends_again_when_it_is_back()
    {
        await using var world = await NotificationWorld.CreateAsync();
        await using var folder = TestFolder.Create();
        var account = await world.OpenAsync();
        await world.SpendAsync(account, 10);
        await world.SpendAsync(account, 30);
        var cut = new TaskCompletionSource<Reply>();
        world.Receiver.Answer = received => received.At("type") == "credits.warning" ? cut.Task : Task.FromResult(new Reply(200));
        var settings = new Dictionary<string, string>
        {
            ["Notifications:Interval"] = "00:00:00.020",
            ["Notifications:AllowPrivateNetworks"] = "true",
        };

        // The machine's clock is not the test's: what the one has made is due for the other.
        await using (var killed = LedgerProcess.Launch(folder.Data, world.App.Database, settings))
        {
            await Eventually.IsSoAsync(() => world.Receiver.All.Count == 1, () => killed.Output);
            await killed.KillAsync();
        }

        world.Receiver.Answer = _ => Task.FromResult(new Reply(200));
        cut.SetResult(new(200));
        await using var back = LedgerProcess.Launch(folder.Data, world.App.Database, settings);
        await Eventually.IsSoAsync(() => world.Receiver.All.Count == 3, () => back.Output);
        world.Told().ShouldBe("credits.warning credits.warning credits.critical");
        world.Receiver.All[1].Headers["Ledger-Event-Id"].ShouldBe(world.Receiver.All[0].Headers["Ledger-Event-Id"]);
    }

    [Fact]
    public async Task A_server_that_stops_waits_for_what_is_under_way_and_begins_nothing_more()
    {
        await using var world = await NotificationWorld.CreateAsync(BySelf);
        var answer = new TaskCompletionSource<Reply>();
        world.Receiver.Answer = _ => answer.Task;
        var account = await world.OpenAsync();
        await world.SpendAsync(account, 10);
        await world.SpendAsync(account, 30);
        await Eventually.IsSoAsync(() => world.Receiver.All.Count == 1);

        // The second may be read from the log only while the first is on its way.
        await Eventually.IsSoAsync(async () => (await world.DeliveriesAsync(account)).Count == 2);
        var stopping = world.Sender.StopAsync(CancellationToken.None);
        answer.SetResult(new(200));
        await stopping;
        (await world.DeliveriesAsync(account))
            .Select(delivery => delivery.State)
            .ShouldBe([DeliveryState.Delivered, DeliveryState.Waiting]);
        world.Receiver.All.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Those_who_fail_time_and_again_do_not_take_all_the_room()
    {
        await using var world = await NotificationWorld.CreateAsync(("Notifications:Parallel", "2"), ("Notifications:Timeout", "00:02:00"));
        world.Receiver.Answer = _ => Task.FromResult(new Reply(500));
        for (var n = 0; n < 4; n++)
            await world.SpendAsync(await world.OpenAsync($"/stuck-{n}"), 10);
        await world.TellAsync();
        world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        var good = await world.OpenAsync("/good");
        await world.SpendAsync(good, 10);
        await world.FollowAsync();
        var late = new TaskCompletionSource<Reply>();
        world.Receiver.Answer = received => received.Path == "/good" ? Task.FromResult(new Reply(200)) : late.Task;
        var sending = world.SendAsync();
        await Eventually.IsSoAsync(() => world.Receiver.At("/good").Count == 1);
        world.Receiver.All.Count.ShouldBeLessThanOrEqualTo(4 + 1 + 1, "one of two places is for those who have not failed");
        late.SetResult(new(500));
        (await sending).ShouldBe(5);
    }

    [Fact]
    public async Task Many_accounts_with_much_to_be_told_are_all_told_in_order()
    {
        // More than are looked for at a time, and more of each than one.
        await using var world = await NotificationWorld.CreateAsync();
        await world.App.QueryAsync(
            $"""
            with accounts as (
              select 'acc' || to_char(n, 'FM00000') as id
              from generate_series(1, 450) n
            ),
            targets as (
              insert into notification_targets (account_id, url, secret, by_mail, updated_at)
              select a.id, '{world.Receiver.Address}/' || a.id, (select t.secret from notification_targets t limit 1), false, now()
              from accounts a
            )
            insert into deliveries (
              delivery_id, account_id, channel, position, event_id, type, body, state, attempts, queued_at, next_at, created_at
            )
            select gen_random_uuid(), a.id, 'webhook', p, gen_random_uuid(), 'test', p::text, 'waiting', 0, '2026-07-03', '2026-07-03', '2026-07-03'
            from accounts a
            cross join generate_series(1, 3) p
            """
        );
        var template = await world.App.OpenAccountAsync();
        await world.Targets.SetAsync(template.Id, world.Receiver.Address, false);
        await world.App.QueryAsync(
            "update notification_targets set secret = (select t.secret from notification_targets t where t.secret is not null limit 1)"
        );
        (await world.SendAsync()).ShouldBe(1350);
        foreach (var told in world.Receiver.All.GroupBy(received => received.Path))
            string.Join(' ', told.Select(received => received.Text)).ShouldBe("1 2 3", told.Key);
        (await WaitingAsync(world.App)).ShouldBe(0);
    }

    private static async Task<long> WaitingAsync(LedgerApp app) =>
        (await app.Services.GetRequiredService<Deliveries>().CountAsync(CancellationToken.None)).Waiting;
}
