using System.Text.Json;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments;

/// <summary>One story told by every route that sells: somebody buys, spends, is given half back, disputes the rest and wins.</summary>
public sealed class StoryTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_purchase_ends_in_the_same_facts_whichever_route_sold_it()
    {
        var stories = new Dictionary<string, string>();
        foreach (var route in (string[])["credits", "topup", "pack", "subscription"])
        {
            var account = await _app.OpenAccountAsync(credits: 1000);
            var session = route switch
            {
                "credits" => await _app.OrderCreditsAsync(account, 20),
                "topup" => await _app.OrderTopupAsync(account, 20),
                "pack" => await _app.OrderPackAsync(account),
                _ => await _app.OrderTierAsync(account),
            };
            (await _app.PressAsync(session, "decline")).ShouldBe(200);
            (await _app.PressAsync(session, "pay")).ShouldBe(200);
            (await _app.PressAsync(session, "pay")).ShouldBe(409);
            (await _app.ChatAsync(account, 100, "work")).ShouldBe(200);
            var price = decimal.Parse(
                (await _app.GetAsync("/sandbox/checkout/" + session)).Text("amount_usd")!,
                System.Globalization.CultureInfo.InvariantCulture
            );
            (await _app.PressAsync(session, "refund", new { amount_usd = price / 2 })).ShouldBe(200);
            (await _app.PressAsync(session, "dispute")).ShouldBe(200);
            (await _app.PressAsync(session, "win")).ShouldBe(200);
            (await _app.PressAsync(session, "refund")).ShouldBe(200).Text("status").ShouldBe("refunded");

            var events = await _app.EventsAsync(account.Id);
            stories[route] = string.Join(
                ' ',
                events
                    .SkipWhile(stored => stored.Type != "customer_linked" && stored.Type != "order_opened")
                    .Select(stored => stored.Type)
                    .Where(type => !type.StartsWith("subscription_", StringComparison.Ordinal))
            );

            // In the end all that was bought is gone, and what was not bought pays for the work.
            var wallet = (await _app.ReadAsync(account.Id)).Wallet;
            var order = (await _app.ReadAsync(account.Id)).Orders.All.Values.ShouldHaveSingleItem();
            wallet.Pocket(order.Pocket!.Value).Remaining.ShouldBe(0, route);
            order.ClawedBack.ShouldBe(order.Gives!.Value.Parts, route);
            var totals = wallet.Totals(order.Gives.Value.Unit);
            (totals.Granted + totals.Reversed + totals.Debt).ShouldBe(
                wallet.Posted(order.Gives.Value.Unit).Parts + totals.Spent + totals.Expired + totals.ClawedBack,
                route
            );
            wallet.Credits.Spent.ShouldBe(Amount.Credits(500).Parts, route);
            (wallet.Posted(Unit.Credits) - wallet.Debt(Unit.Credits)).ShouldBe(Amount.Credits(500), route);
        }

        const string Facts =
            "order_opened customer_linked order_session_opened order_failed order_paid credits_granted credits_spent order_refunded credits_clawed_back order_disputed credits_clawed_back dispute_won clawback_returned order_refunded credits_clawed_back";
        stories.Values.Distinct().ShouldBe([Facts], JsonSerializer.Serialize(stories));
    }
}
