using System.Net.Http.Headers;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Sandbox;

/// <summary>Refunds and disputes: what was granted is taken back as far as it is there, and the rest is owed.</summary>
public sealed class RefundTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_refund_in_parts_takes_back_in_proportion()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        (await _app.PressAsync(session, "refund", """{"amount_usd":10}""")).ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","status":"partly_refunded","amount_usd":"25","refunded_usd":"10"}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(112_500);
        (await _app.PressAsync(session, "refund", """{"amount_usd":"0.01"}""")).ShouldBe(200).Text("refunded_usd").ShouldBe("10.01");
        (await _app.CreditsAsync(account)).ShouldBe(112_425);
        (await _app.PressAsync(session, "refund")).ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","status":"refunded","amount_usd":"25","refunded_usd":"25"}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.PressAsync(session, "refund")).ShouldBe(409);
    }

    [Fact]
    public async Task A_form_says_how_much_as_well_as_JSON_and_an_empty_one_means_the_rest()
    {
        var session = await _app.BuyCreditsAsync(await _app.OpenAccountAsync(), 25);
        (await FormAsync(session, "10.50")).ShouldBe(200).Text("refunded_usd").ShouldBe("10.5");
        (await FormAsync(session, "")).ShouldBe(200).Text("status").ShouldBe("refunded");
    }

    [Theory]
    [InlineData("""{"amount_usd":0}""", "amount_usd")]
    [InlineData("""{"amount_usd":-1}""", "amount_usd")]
    [InlineData("""{"amount_usd":1.001}""", "amount_usd")]
    [InlineData("""{"amount_usd":15.01}""", "amount_usd")]
    [InlineData("""{"amount_usd":"all"}""", "amount_usd")]
    [InlineData("""{"amount_usd":true}""", "amount_usd")]
    [InlineData("""{"amount_eur":1}""", "amount_eur")]
    [InlineData("""[1]""", "body")]
    [InlineData("""{""", "body")]
    public async Task More_than_is_left_or_no_amount_at_all_is_refused_and_takes_nothing(string body, string field)
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        (await _app.PressAsync(session, "refund", """{"amount_usd":10}""")).ShouldBe(200);
        var before = await _app.StandingAsync(account.Id);
        var answer = (await _app.PressAsync(session, "refund", body)).ShouldBe(400);
        answer.Text("error", "code").ShouldBe("invalid_request");
        answer.Json.GetProperty("error").GetProperty("fields").EnumerateObject().ShouldHaveSingleItem().Name.ShouldBe(field);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task An_amount_that_comes_without_its_length_counts_all_the_same()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var session = await app.BuyCreditsAsync(await app.OpenAccountAsync(), 25);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/sandbox/checkout/{session}/refund")
        {
            Content = new StreamContent(new Unmeasured("""{"amount_usd":1}"""u8.ToArray()))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        (await app.SendAsync(request)).ShouldBe(200).Text("refunded_usd").ShouldBe("1");
        (await app.PressAsync(session, "refund")).ShouldBe(200).Text("refunded_usd").ShouldBe("25");
    }

    [Fact]
    public async Task What_was_spent_of_a_refunded_purchase_is_owed_blocks_spending_and_is_paid_first()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 1);
        (await _app.ChatAsync(account, 1000, "spent")).ShouldBe(200);
        (await _app.PressAsync(session, "refund")).ShouldBe(200).Text("status").ShouldBe("refunded");
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(5_000));
        (await _app.ChatAsync(account, 1, "blocked")).ShouldBeRefused(402, "insufficient_credits").Text("limit_source").ShouldBe("debt");

        // A pack pays no debt, and has nothing to do with it.
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(5_000));

        await _app.BuyCreditsAsync(account, 1);
        (await _app.CreditsAsync(account)).ShouldBe(2_500);
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).IsZero.ShouldBeTrue();
        (await _app.CountsAsync(account))["debt_repaid"].ShouldBe(1);
        (await _app.ChatAsync(account, 500, "unblocked")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task Debt_in_credits_leaves_dollars_alone()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderTopupAsync(account, 5), "pay")).ShouldBe(200);
        var session = await _app.BuyCreditsAsync(account, 1);
        (await _app.ChatAsync(account, 1500, "all")).ShouldBe(200);
        (await _app.PressAsync(session, "refund")).ShouldBe(200);
        (await _app.GetAsync("/tenant/credits", account.Key)).ShouldBe(200, """{"balance_micros":5000000}""");
    }

    [Fact]
    public async Task A_won_dispute_gives_back_exactly_what_the_dispute_took()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 1);
        (await _app.ChatAsync(account, 1000, "spent")).ShouldBe(200);
        (await _app.PressAsync(session, "dispute")).ShouldBe(200).Text("status").ShouldBe("disputed");
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(5_000));
        (await _app.PressAsync(session, "dispute")).ShouldBe(409);

        (await _app.PressAsync(session, "win")).ShouldBe(200).Text("status").ShouldBe("paid");
        (await _app.CreditsAsync(account)).ShouldBe(2_500);
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).IsZero.ShouldBeTrue();
        (await _app.PressAsync(session, "win")).ShouldBe(409);
        (await _app.CreditsAsync(account)).ShouldBe(2_500);
    }

    [Fact]
    public async Task A_dispute_of_what_was_refunded_in_part_takes_no_more_than_was_granted()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var session = await _app.BuyCreditsAsync(account, 25);
        (await _app.PressAsync(session, "refund", """{"amount_usd":10}""")).ShouldBe(200);
        (await _app.PressAsync(session, "dispute")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(100);
        (await _app.ReadAsync(account.Id)).Wallet.Debt(Unit.Credits).IsZero.ShouldBeTrue();

        // What the refund claims stays gone.
        (await _app.PressAsync(session, "win"))
            .ShouldBe(200)
            .Text("status")
            .ShouldBe("partly_refunded");
        (await _app.CreditsAsync(account)).ShouldBe(112_600);
    }

    [Theory]
    [InlineData("topup")]
    [InlineData("pack")]
    [InlineData("tier")]
    public async Task Whatever_was_bought_is_gone_when_its_money_is(string kind)
    {
        var account = await _app.OpenAccountAsync();
        var session = kind switch
        {
            "topup" => await _app.OrderTopupAsync(account, 5),
            "pack" => await _app.OrderPackAsync(account),
            _ => await _app.OrderTierAsync(account),
        };
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.ReadAsync(account.Id)).Wallet.Open.ShouldHaveSingleItem();
        (await _app.PressAsync(session, "refund")).ShouldBe(200);
        var wallet = (await _app.ReadAsync(account.Id)).Wallet;
        wallet.Open.ShouldBeEmpty();
        wallet.Credits.Debt.ShouldBe(0);
        wallet.Usd.Debt.ShouldBe(0);
    }

    private async Task<Answer> FormAsync(string session, string amount)
    {
        using var form = new FormUrlEncodedContent([new("amount_usd", amount)]);
        return await _app.PressAsync(session, "refund", form);
    }

    /// <summary>Does not say how long it is, so that it is sent in chunks.</summary>
    private sealed class Unmeasured(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
