using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary>A repeat gets the first answer, whatever the wallet, the card and the server's memory are like by then.</summary>
public sealed class RepeatTests
{
    [Fact]
    public async Task After_the_wallet_ran_empty_and_after_a_restart()
    {
        var app = await LedgerApp.StartAsync();
        try
        {
            var account = await app.OpenAccountAsync(credits: 10);
            var first = (await SpendAsync(app, account, "first")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":5}""");
            (await SpendAsync(app, account, "last")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":0}""");
            (await SpendAsync(app, account, "more")).ShouldBeRefused(402, "insufficient_credits");
            await RepeatsAsync(app, account, first);

            app = await app.RestartAsync();
            await RepeatsAsync(app, account, first);
            await RepeatsAsync(app, account, first);
            (await SpendAsync(app, account, "more")).ShouldBeRefused(402, "insufficient_credits");
            (await SpendAsync(app, account, "first", units: 2))
                .ShouldBeRefused(409, "reference_conflict")
                .ShouldHave("x-should-retry", "false");

            // Also where the first answer's balance has to be found among events of later days.
            app.Clock.Advance(TimeSpan.FromDays(400));
            await app.GrantAsync(account.Id, Amount.Credits(1_000));
            app = await app.RestartAsync();
            await RepeatsAsync(app, account, first);
            (await app.AvailableAsync(account.Id)).ShouldBe(1_000);
        }
        finally
        {
            await app.DisposeAsync();
        }
    }

    [Fact]
    public async Task After_memory_has_forgotten_it()
    {
        await using var app = await LedgerApp.StartAsync(
            settings: new Dictionary<string, string> { ["Ledger:RecentReferences"] = "1", ["Ledger:CachedAccounts"] = "1" }
        );
        var account = await app.OpenAccountAsync(credits: 100);
        var other = await app.OpenAccountAsync(credits: 100);
        var first = await SpendAsync(app, account, "first");
        for (var n = 0; n < 10; n++)
        {
            (await SpendAsync(app, account, $"a{n}")).ShouldBe(200);
            (await SpendAsync(app, other, $"b{n}")).ShouldBe(200);
        }

        await RepeatsAsync(app, account, first);
        (await app.AvailableAsync(account.Id)).ShouldBe(45);
    }

    [Fact]
    public async Task After_its_pocket_has_expired()
    {
        var app = await LedgerApp.StartAsync();
        try
        {
            var account = await app.OpenAccountAsync();
            await app.GrantAsync(account.Id, Amount.Credits(100), expiresAt: FixedClock.Start.AddDays(1));
            var first = (await SpendAsync(app, account, "first")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
            app.Clock.Advance(TimeSpan.FromDays(1));
            await RepeatsAsync(app, account, first);
            app = await app.RestartAsync();
            await RepeatsAsync(app, account, first);
            (await SpendAsync(app, account, "next")).ShouldBeRefused(402, "insufficient_credits").Text("balance").ShouldBe("0");
        }
        finally
        {
            await app.DisposeAsync();
        }
    }

    [Fact]
    public async Task While_the_clock_steps_back_time_never_does()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100);
        await SpendAsync(app, account, "first");
        app.Clock.Now = FixedClock.Start.AddHours(-1);
        (await SpendAsync(app, account, "second")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":90}""");
        (await app.EventsAsync(account.Id))[^1].At.ShouldBe(FixedClock.Start);
    }

    [Fact]
    public async Task After_memory_has_forgotten_what_was_recorded_along_with_the_first()
    {
        var app = await LedgerApp.StartAsync();
        try
        {
            // 10 credits, and work for 50: 40 are owed.
            var account = await app.OpenAccountAsync(credits: 10);
            var hold = await app.ExecuteAsync(
                new PlaceHold(account.Id, account.KeyId, "chat", Quantity.Of(1), "hold", TimeSpan.FromMinutes(5))
            );
            await app.ExecuteAsync(new SettleHold(account.Id, account.KeyId, new(hold.Answer!.Value.Id), Quantity.Of(10)));

            // One grant pays a part of it, the next the rest; then a reversal pays anew what a second settlement left owing.
            AccountCommand[] commands =
            [
                Grant("1", 10),
                Grant("2", 100),
                new Spend(account.Id, account.KeyId, "chat", Quantity.Of(2), "spend"),
                new PlaceHold(account.Id, account.KeyId, "chat", Quantity.Of(1), "again", TimeSpan.FromMinutes(5)),
            ];
            var verdicts = new List<Verdict>();
            foreach (var command in commands)
                verdicts.Add(await app.ExecuteAsync(command));
            await app.ExecuteAsync(new SettleHold(account.Id, account.KeyId, new(verdicts[^1].Answer!.Value.Id), Quantity.Of(13)));
            commands = [.. commands, new ReverseSpend(account.Id, new(verdicts[2].Answer!.Value.Id), "goodwill"), Grant("3", 7)];
            foreach (var command in commands[^2..])
                verdicts.Add(await app.ExecuteAsync(command));
            verdicts.Select(verdict => verdict.Available.WholeFloor()).ShouldBe([0, 70, 60, 55, 5, 12]);
            (await app.EventsAsync(account.Id)).Count(stored => stored.Type == "debt_repaid").ShouldBe(3);

            app = await app.RestartAsync();
            foreach (var (command, first) in commands.Zip(verdicts))
            {
                var again = await app.ExecuteAsync(command);
                again.IsRepeat.ShouldBeTrue(command.ToString());
                again.Available.ShouldBe(first.Available, command.ToString());
                again.Answer!.Value.Id.ShouldBe(first.Answer!.Value.Id, command.ToString());
            }

            GrantCredits Grant(string payment, long credits) =>
                new(account.Id, Amount.Credits(credits), PocketSource.Payg, null, null, "operator", payment, null);
        }
        finally
        {
            await app.DisposeAsync();
        }
    }

    private static async Task RepeatsAsync(LedgerApp app, TestAccount account, Answer first)
    {
        var again = (await SpendAsync(app, account, "first")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        foreach (var header in (string[])["x-ledger-spend-id", "x-ledger-cost", "x-ledger-balance"])
            again.ShouldHave(header, first.Header(header));
    }

    private static Task<Answer> SpendAsync(LedgerApp app, TestAccount account, string reference, int units = 1) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units,
                reference,
            }
        );
}
