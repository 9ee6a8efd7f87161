using Ledger.Api.Payments;
using Ledger.Api.Tests.Payments;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/payments</c> and <c>/admin/payments/events</c>: what the ledger says was paid, and what the provider told.</summary>
public sealed class PaymentTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Payments_add_up_with_what_was_refunded_and_disputed_since()
    {
        (await _app.AdminGetAsync("/payments")).ShouldBe(
            200,
            """{"data":[],"totals":{"count":0,"paid_usd":0,"refunded_usd":0,"disputed_usd":0,"net_usd":0},"next":null}"""
        );
        var (one, other) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        var first = await _app.BuyCreditsAsync(one, 25);
        _app.Clock.Advance(TimeSpan.FromMinutes(1));
        var second = await _app.BuyCreditsAsync(other, 10.25m);
        _app.Clock.Advance(TimeSpan.FromMinutes(1));
        await _app.SubscribeAsync(other);
        await _app.OrderCreditsAsync(one, 1000);
        (await _app.PressAsync(first, "refund", """{"amount_usd":5.05}""")).ShouldBe(200);
        (await _app.PressAsync(second, "dispute")).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromMinutes(1));

        var answer = (await _app.AdminGetAsync("/payments")).ShouldBe(200);
        answer
            .Json.GetProperty("totals")
            .GetRawText()
            .ShouldBe("""{"count":3,"paid_usd":55.25,"refunded_usd":5.05,"disputed_usd":10.25,"net_usd":39.95}""");
        var lines = answer.Json.GetProperty("data").EnumerateArray().ToList();
        lines.Select(line => line.GetProperty("kind").GetString()).ShouldBe(["payg", "payg", "subscription"]);
        lines[0].GetProperty("refunded_usd").GetRawText().ShouldBe("5.05");
        lines[0].GetProperty("clawed_back").GetRawText().ShouldBe("37875");
        lines[1].GetProperty("disputed_usd").GetRawText().ShouldBe("10.25");
        lines[1].GetProperty("session_id").GetString().ShouldBe(second);

        // A dispute that is won is no loss.
        (await _app.PressAsync(second, "win")).ShouldBe(200);
        (await _app.AdminGetAsync("/payments")).Text("totals", "net_usd").ShouldBe("50.2");
    }

    [Fact]
    public async Task Pages_meet_without_gaps_and_the_totals_are_of_all()
    {
        var accounts = new List<TestAccount>();
        for (var n = 0; n < 3; n++)
            accounts.Add(await _app.OpenAccountAsync());

        // Several in one moment, so that only the names tell where a page ended.
        foreach (var account in accounts)
        {
            await _app.BuyCreditsAsync(account, 1);
            await _app.BuyCreditsAsync(account, 2);
        }

        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        var all = Ids(await _app.AdminGetAsync("/payments"));
        all.Count.ShouldBe(6);
        var (read, cursor) = (new List<string?>(), "");
        for (string? next = ""; next is not null; )
        {
            var page = (await _app.AdminGetAsync($"/payments?limit=2{cursor}")).ShouldBe(200);
            page.Text("totals", "paid_usd").ShouldBe("9");
            read.AddRange(Ids(page));
            next = page.Text("next") is "null" or null ? null : page.Text("next");
            cursor = "&cursor=" + Uri.EscapeDataString(next ?? "");
        }

        read.ShouldBe(all);
    }

    [Fact]
    public async Task A_time_and_a_provider_bound_what_is_listed_and_summed()
    {
        var account = await _app.OpenAccountAsync();
        for (var day = 1; day <= 3; day++)
        {
            await _app.BuyCreditsAsync(account, day);
            _app.Clock.Advance(TimeSpan.FromDays(1));
        }

        (await _app.AdminPostAsync($"/accounts/{account.Id}/packs", new { pack = "deepseek-chat-20k", reference = "gift" })).ShouldBe(201);
        _app.Clock.Advance(TimeSpan.FromDays(1));
        foreach (
            var (query, count, paid) in ((string, string, string)[])
                [
                    ("", "3", "6"),
                    ("?provider=sandbox", "3", "6"),
                    ("?provider=operator", "1", "0"),
                    ("?provider=stripe", "0", "0"),
                    ("?from=2026-07-04T12:00:00Z", "2", "5"),
                    ("?to=2026-07-04T12:00:00Z", "1", "1"),
                    ("?from=2026-07-04T12:00:00Z&to=2026-07-05T12:00:00Z", "1", "2"),
                    ("?from=2026-07-04T14:00:00%2B02:00&to=2026-07-05T12:00:00.000001Z", "2", "5"),
                ]
        )
        {
            var answer = (await _app.AdminGetAsync("/payments" + query)).ShouldBe(200);
            (answer.Text("totals", "count"), answer.Text("totals", "paid_usd")).ShouldBe((count, paid), query);
            Ids(answer).Count.ToString(System.Globalization.CultureInfo.InvariantCulture).ShouldBe(count, query);
        }
    }

    [Fact]
    public async Task A_refund_and_a_dispute_of_the_same_payment_lose_no_more_than_was_paid()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        (await _app.PressAsync(session, "refund", """{"amount_usd":10}""")).ShouldBe(200);
        (await _app.PressAsync(session, "dispute")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(0);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await _app.AdminGetAsync("/payments")).Json.GetProperty("data")[0].GetProperty("clawed_back").GetRawText().ShouldBe("187500");
    }

    [Theory]
    [InlineData("from=2026-07-03", "from")]
    [InlineData("to=now", "to")]
    [InlineData("from=2026-07-03T00:00:00Z&to=2026-07-03T00:00:00Z", "to")]
    [InlineData("provider=", "provider")]
    [InlineData("provider=%00", "provider")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("cursor=nothing", "cursor")]
    [InlineData("cursor=-1~a~b", "cursor")]
    [InlineData("cursor=9223372036854775807~a~b", "cursor")]
    [InlineData("from=x&to=x&limit=x&cursor=x", "from to limit cursor")]
    public async Task Bad_questions_are_refused_by_name(string query, string fields) =>
        (await _app.AdminGetAsync("/payments?" + query)).ShouldFault(fields.Split(' '));

    [Fact]
    public async Task What_the_provider_told_is_listed_with_what_came_of_it()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var order = (await _app.ReadAsync(account.Id)).Orders.All.Values.ShouldHaveSingleItem();
        (await TellAsync(new ProviderEvent.Nothing("evt_1", "customer.created", "not_ours"))).Outcome.ShouldBe(ProviderOutcome.Ignored);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await TellAsync(PaidBy("evt_2", account, order, Amount.Usd(24)))).Outcome.ShouldBe(ProviderOutcome.Mismatched);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await TellAsync(PaidBy("evt_3", account, order, Amount.Usd(25)))).Outcome.ShouldBe(ProviderOutcome.Done);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await TellAsync(PaidBy("evt_3", account, order, Amount.Usd(25)))).Outcome.ShouldBe(ProviderOutcome.Repeated);
        (await TellAsync(PaidBy("evt_4", account, order, Amount.Usd(25)))).Outcome.ShouldBe(ProviderOutcome.Repeated);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await TellAsync(new ProviderEvent.Expired("evt_5", "checkout.session.expired", new(Session: "cs_test_nobody")))).Outcome.ShouldBe(
            ProviderOutcome.Unmatched
        );
        (await _app.CreditsAsync(account)).ShouldBe(187_500);

        (await _app.AdminGetAsync("/payments/events?outcome=mismatched")).ShouldBe(
            200,
            $$"""{"data":[{"provider":"sandbox","event_id":"evt_2","type":"checkout.session.completed","outcome":"mismatched","detail":"amount","account_id":"{{account.Id}}","order_id":"{{order.Id}}","times":1,"first_at":"2026-07-03T12:00:01Z","last_at":"2026-07-03T12:00:01Z"}],"next":null}"""
        );
        var told = (await _app.AdminGetAsync("/payments/events")).ShouldBe(200).Json.GetProperty("data").EnumerateArray().ToList();
        told.Select(line =>
                $"{line.GetProperty("event_id").GetString()} {line.GetProperty("outcome").GetString()} {line.GetProperty("times").GetRawText()}"
            )
            .ShouldBe(["evt_5 unmatched 1", "evt_4 repeated 1", "evt_3 done 2", "evt_2 mismatched 1", "evt_1 ignored 1"]);
        session.ShouldBe((await _app.ReadAsync(account.Id)).Orders.Find(order.Id)!.Session);

        // The latest first, in pages.
        var first = (await _app.AdminGetAsync("/payments/events?limit=3")).ShouldBe(200);
        var second = (await _app.AdminGetAsync($"/payments/events?limit=3&cursor={Uri.EscapeDataString(first.Text("next")!)}")).ShouldBe(
            200
        );
        first
            .Json.GetProperty("data")
            .EnumerateArray()
            .Concat(second.Json.GetProperty("data").EnumerateArray())
            .Select(line => line.GetRawText())
            .ShouldBe(told.Select(line => line.GetRawText()));
        second.Text("next").ShouldBe("null");
        (await _app.AdminGetAsync("/payments/events?outcome=lost")).ShouldFault("outcome");
        (await _app.AdminGetAsync("/payments/events?limit=0&cursor=x")).ShouldFault("limit", "cursor");
    }

    [Theory]
    [InlineData("amount")]
    [InlineData("currency")]
    [InlineData("customer")]
    [InlineData("provider")]
    public async Task A_payment_that_is_not_the_orders_own_is_recorded_once_and_leaves_it_open(string what)
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var order = (await _app.ReadAsync(account.Id)).Orders.All.Values.ShouldHaveSingleItem();
        var notice = PaidBy("evt_1", account, order, Amount.Usd(25)).Payment;
        var wrong = what switch
        {
            "amount" => notice with { Amount = Amount.Usd(26) },
            "currency" => notice with { Currency = "EUR" },
            "customer" => notice with { Customer = "cus_test_somebody_else" },
            _ => notice with { Provider = "stripe" },
        };
        for (var n = 1; n <= 2; n++)
        {
            var handled = await TellAsync(
                new ProviderEvent.Paid($"evt_{n}", "checkout.session.completed", new(account.Id, order.Id), wrong)
            );
            handled.Outcome.ShouldBe(ProviderOutcome.Mismatched);
            handled.Detail.ShouldBe(what);
        }

        (await _app.CountsAsync(account))["payment_mismatched"].ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.GetAsync("/sandbox/checkout/" + session)).Text("status").ShouldBe("open");
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(187_500);
    }

    [Fact]
    public async Task A_refund_that_is_told_before_its_payment_takes_back_what_the_payment_gives()
    {
        var account = await _app.OpenAccountAsync();
        await _app.OrderCreditsAsync(account, 25);
        var order = (await _app.ReadAsync(account.Id)).Orders.All.Values.ShouldHaveSingleItem();
        var refund = new ProviderEvent.Refunded("evt_1", "charge.refunded", new(account.Id, order.Id), Amount.Usd(10), "USD");
        (await TellAsync(refund)).Outcome.ShouldBe(ProviderOutcome.Done);
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await TellAsync(PaidBy("evt_2", account, order, Amount.Usd(25)))).Outcome.ShouldBe(ProviderOutcome.Done);
        (await TellAsync(refund with { Id = "evt_3" })).Outcome.ShouldBe(ProviderOutcome.Repeated);
        (await _app.CreditsAsync(account)).ShouldBe(112_500);
    }

    private static IReadOnlyList<string?> Ids(Answer answer) =>
        [.. answer.ShouldBe(200).Json.GetProperty("data").EnumerateArray().Select(line => line.GetProperty("order_id").GetString())];

    private static ProviderEvent.Paid PaidBy(string id, TestAccount account, Order order, Amount amount) =>
        new(
            id,
            "checkout.session.completed",
            new(account.Id, order.Id),
            new("sandbox", "pi_test_" + order.Id, "pi_test_" + order.Id, amount, "USD", "cus_test_" + account.Id, null, FixedClock.Start)
        );

    private Task<Handled> TellAsync(ProviderEvent told) =>
        _app.Services.GetRequiredService<PaymentDesk>().HandleAsync(told, CancellationToken.None);
}
