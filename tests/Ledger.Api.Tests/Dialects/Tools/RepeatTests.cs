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
            await app.GrantAsync(account.Id, Domain.Money.Amount.Credits(1_000));
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
            await app.GrantAsync(account.Id, Domain.Money.Amount.Credits(100), expiresAt: FixedClock.Start.AddDays(1));
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
