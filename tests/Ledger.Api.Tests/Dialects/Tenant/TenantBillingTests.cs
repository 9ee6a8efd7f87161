using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tenant;

/// <summary><c>/tenant/credits</c> and <c>/tenant/billing/*</c>.</summary>
public sealed class TenantBillingTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Topup = "/tenant/billing/topup";
    private const string Checkout = "/tenant/billing/checkout";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_prepaid_balance_is_in_micros_and_rounded_down()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        (await _app.GetAsync("/tenant/credits", account.Key)).ShouldBe(200, """{"balance_micros":0}""");
        await _app.GrantAsync(account.Id, new(1_999, Unit.Usd), PocketSource.Prepaid);
        (await _app.GetAsync("/tenant/credits", account.Key)).ShouldBe(200, """{"balance_micros":1}""");
        await _app.GrantAsync(account.Id, new(1, Unit.Usd), PocketSource.Prepaid);
        (await _app.GetAsync("/tenant/credits", account.Key)).ShouldBe(200, """{"balance_micros":2}""");
    }

    [Theory]
    [InlineData("5", "5", "5000000")]
    [InlineData("1000", "1000", "1000000000")]
    [InlineData("5.01", "5.01", "5010000")]
    [InlineData("\"999.99\"", "999.99", "999990000")]
    public async Task A_top_up_within_the_limits_is_there_once_it_is_paid(string amount, string dollars, string micros)
    {
        var account = await _app.OpenAccountAsync();
        var answer = await _app.PostAsync(Topup, account.Key, $$"""{"amount_usd":{{amount}}}""");
        var session = answer.ShouldBe(200).Text("session_id")!;
        session.ShouldMatch("^cs_test_[0-9A-Za-z]{24}$");
        answer.ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","url":"http://localhost/sandbox/checkout/{{session}}","amount_usd":{{dollars}}}"""
        );
        (await _app.GetAsync("/tenant/credits", account.Key)).Text("balance_micros").ShouldBe("0");
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.GetAsync("/tenant/credits", account.Key)).Text("balance_micros").ShouldBe(micros);
    }

    [Theory]
    [InlineData("""{"amount_usd":4.99}""", "amount_usd")]
    [InlineData("""{"amount_usd":1000.01}""", "amount_usd")]
    [InlineData("""{"amount_usd":5.001}""", "amount_usd")]
    [InlineData("""{"amount_usd":-5}""", "amount_usd")]
    [InlineData("""{"amount_usd":"five"}""", "amount_usd")]
    [InlineData("""{"amount_usd":[5]}""", "amount_usd")]
    [InlineData("{}", "amount_usd")]
    [InlineData("""{"amount_usd":5,"currency":"USD"}""", "currency")]
    [InlineData("[]", "body")]
    [InlineData("", "body")]
    public async Task Any_other_top_up_is_refused_and_nothing_is_ordered(string body, string field)
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Topup, account.Key, body)).ShouldFault(field);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_subscription_begins_when_it_is_paid()
    {
        var account = await _app.OpenAccountAsync();
        var answer = await _app.PostAsync(Checkout, account.Key, """{"tier":"pro"}""");
        var session = answer.ShouldBe(200).Text("session_id")!;
        answer.ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","url":"http://localhost/sandbox/checkout/{{session}}","amount_usd":20,"tier":"pro"}"""
        );
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("none");
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("active");
        (await _app.CreditsAsync(account, "credits_balance")).ShouldBe(2_000);
    }

    [Fact]
    public async Task A_tier_that_is_not_there_cannot_be_bought()
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Checkout, account.Key, """{"tier":"gold"}""")).ShouldFault("tier");
        (await _app.PostAsync(Checkout, account.Key, """{"tier":""}""")).ShouldFault("tier");
        (await _app.PostAsync(Checkout, account.Key, """{"tier":7}""")).ShouldFault("tier");
        (await _app.PostAsync(Checkout, account.Key, "{}")).ShouldFault("tier");
        (await _app.PostAsync(Checkout, account.Key, """{"tier":"pro","seats":2}""")).ShouldFault("seats");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Whoever_subscribes_already_is_told_so_and_may_again_when_that_has_ended()
    {
        var account = await _app.OpenAccountAsync();
        await _app.SubscribeAsync(account);
        (await _app.PostAsync(Checkout, account.Key, """{"tier":"pro"}""")).ShouldBeRefusedWith(409, "already_subscribed");
        (await _app.DeleteAsync("/tenant/subscription?when=now", account.Key)).ShouldBe(200);
        await _app.SubscribeAsync(account);
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("active");
    }

    [Fact]
    public async Task Two_pages_for_a_subscription_that_are_both_paid_leave_one_subscription()
    {
        var account = await _app.OpenAccountAsync();
        var (one, two) = (await _app.OrderTierAsync(account), await _app.OrderTierAsync(account));
        (await _app.PressAsync(one, "pay")).ShouldBe(200);
        (await _app.PressAsync(two, "pay")).ShouldBe(200);
        var counts = await _app.CountsAsync(account);
        (counts["subscription_started"], counts["subscription_ended"], counts["order_paid"]).ShouldBe((2, 1, 2));
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("active");
        (await _app.CreditsAsync(account)).ShouldBe(4_000);
    }

    [Fact]
    public async Task Every_kind_of_key_may_buy_and_nobody_else()
    {
        foreach (var kind in (KeyKind[])[KeyKind.Inference, KeyKind.Provisioning])
        {
            var account = await _app.OpenAccountAsync(kind: kind);
            (await _app.PostAsync(Topup, account.Key, """{"amount_usd":5}""")).ShouldBe(200);
            (await _app.PostAsync(Checkout, account.Key, """{"tier":"pro"}""")).ShouldBe(200);
            (await _app.PostAsync("/tenant/billing/portal", account.Key)).ShouldBe(200).Text("url").ShouldStartWith("http://localhost/");
        }

        foreach (
            var (method, path, body) in ((string, string, string?)[])
                [
                    ("GET", "/tenant/credits", null),
                    ("GET", "/tenant/subscription", null),
                    ("PUT", "/tenant/subscription", """{"tier":"pro"}"""),
                    ("DELETE", "/tenant/subscription", null),
                    ("POST", Topup, """{"amount_usd":5}"""),
                    ("POST", Checkout, """{"tier":"pro"}"""),
                    ("POST", "/tenant/billing/portal", null),
                ]
        )
            (await _app.SendAsync(new(method), path, LedgerApp.AdminKey, body)).ShouldBeRefusedWith(401, "auth_required");
    }
}
