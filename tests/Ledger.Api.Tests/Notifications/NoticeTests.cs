using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Testing;

namespace Ledger.Api.Tests.Notifications;

/// <summary>What accounts are told of what happens to them, by webhook and by mail.</summary>
public sealed class NoticeTests : IAsyncLifetime
{
    private NotificationWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await NotificationWorld.CreateAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task A_balance_that_falls_is_told_once_per_threshold_and_once_when_it_has_recovered()
    {
        var account = await _world.OpenAsync();
        await _world.SpendAsync(account, 5);
        (await _world.TellAsync()).ShouldBe(0);

        await _world.SpendAsync(account, 5);
        await _world.SpendAsync(account, 5);
        (await _world.TellAsync()).ShouldBe(1);
        var warning = _world.Receiver.All.Single();
        warning.Text.ShouldBe(
            $$$$"""
            {"id":"{{{{warning.Headers[
                "Ledger-Event-Id"
            ]}}}}","type":"credits.warning","created":"2026-07-03T12:00:00Z","account_id":"{{{{account.Id}}}}","data":{"level":"warning","from":"ok","available":50,"thresholds":{"warning":50,"critical":20}}}
            """
        );
        warning.Headers["Ledger-Event-Id"].ShouldMatch("^evt_[0-9a-f]{32}$");
        warning.Headers["Content-Type"].ShouldBe("application/json");
        warning.Headers["User-Agent"].ShouldBe("Ledger/1");
        warning
            .Headers.Keys.Order(StringComparer.Ordinal)
            .ShouldBe(["Content-Length", "Content-Type", "Host", "Ledger-Event-Id", "Ledger-Signature", "User-Agent"]);

        await _world.SpendAsync(account, 25);
        await _world.SpendAsync(account, 5);
        await _world.TellAsync();
        await _world.App.GrantAsync(account.Id, Amount.Credits(100));
        await _world.TellAsync();
        (await _world.TellAsync()).ShouldBe(0);
        _world.Told().ShouldBe("credits.warning credits.critical credits.recovered");
        _world.Receiver.All[1].At("data", "from").ShouldBe("warning");
        _world.Receiver.All[2].At("data", "available").ShouldBe("115");
    }

    [Fact]
    public async Task A_page_of_the_log_that_is_read_twice_is_told_once()
    {
        var account = await _world.OpenAsync(email: "twice@example.com");
        await _world.SpendAsync(account, 10);
        await _world.FollowAsync();
        await _world.FollowAgainAsync();
        (await _world.SendAsync()).ShouldBe(2);
        await _world.FollowAgainAsync();
        (await _world.SendAsync()).ShouldBe(0);
        _world.Told().ShouldBe("credits.warning");
        (await _world.LettersAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Who_wants_to_be_told_nowhere_is_told_nothing_and_what_happened_before_is_not_told_later()
    {
        var account = await _world.OpenAsync();
        (await _world.Targets.SetAsync(account.Id, null, false)).ShouldBeNull();
        (await _world.Targets.GetAsync(account.Id)).ShouldBe(new(null, false, null));
        await _world.SpendAsync(account, 10);
        await _world.FollowAsync();
        await _world.Targets.SetAsync(account.Id, _world.Receiver.Address + "/hook", false);
        (await _world.TellAsync()).ShouldBe(0);
        (await _world.DeliveriesAsync(account)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_secret_is_shown_once_and_changes_with_the_address()
    {
        var account = await _world.OpenAsync();
        var url = _world.Receiver.Address + "/another";
        var secret = (await _world.Targets.SetAsync(account.Id, url, true)).ShouldNotBeNull();
        secret.ShouldMatch("^whsec_[0-9A-Za-z]{32}$");
        (await _world.Targets.SetAsync(account.Id, url, false)).ShouldBeNull();
        (await _world.Targets.GetAsync(account.Id)).ShouldBe(new(url, false, _world.App.Clock.Now));
        (await _world.App.QueryAsync("select count(*) from notification_targets where secret like '%whsec_%'")).ShouldBe(0L);

        // Where mail goes has nothing to do with it.
        (await _world.Targets.SetAsync(account.Id, null, true)).ShouldBeNull();
        (await _world.Targets.GetAsync(account.Id)).ShouldBe(new(null, true, _world.App.Clock.Now));
        (await _world.Targets.SetAsync(account.Id, url, true)).ShouldNotBeNull().ShouldNotBe(secret);
    }

    [Fact]
    public async Task A_purchase_is_told_from_its_payment_to_the_end_of_its_dispute()
    {
        var account = await _world.OpenAsync(credits: 1000);
        await OrderAsync(account, "order1");
        await _world.App.ExecuteAsync(new FailOrder(account.Id, Ask(account, "attempt"), new("order1"), "card_declined"));
        await PayAsync(account, "order1");
        await _world.App.ExecuteAsync(new RefundOrder(account.Id, new("order1"), "sandbox", "pay-order1", Amount.Usd(3), "USD"));
        await _world.App.ExecuteAsync(new DisputeOrder(account.Id, new("order1"), "sandbox", "dp_1", Amount.Usd(5), "USD"));
        await _world.App.ExecuteAsync(new WinDispute(account.Id, new("order1"), "sandbox", "dp_1"));
        await _world.TellAsync();
        _world.Told().ShouldBe("order.failed order.paid order.refunded order.disputed order.dispute_won");
        const string Order =
            "\"order_id\":\"order1\",\"kind\":\"payg\",\"item\":null,\"price_usd\":10,\"gives\":{\"amount\":75000,\"unit\":\"credits\"},\"provider\":\"sandbox\",\"automatic\":false";
        DataOf("order.failed").ShouldBe($$"""{{{Order}},"reason":"card_declined"}""");
        DataOf("order.paid").ShouldBe($$"""{{{Order}},"amount_usd":10}""");
        DataOf("order.refunded").ShouldBe($$"""{{{Order}},"refunded_usd":3}""");
        DataOf("order.disputed").ShouldBe($$"""{{{Order}},"dispute":"dp_1","amount_usd":5}""");
        DataOf("order.dispute_won").ShouldBe($$"""{{{Order}},"dispute":"dp_1"}""");
    }

    [Fact]
    public async Task An_automatic_purchase_is_told_when_it_begins_and_by_mail_when_it_fails()
    {
        var account = await _world.OpenAsync(credits: 1000, email: "auto@example.com");
        await OrderAsync(account, "order1");
        await PayAsync(account, "order1");
        await _world.App.ExecuteAsync(new FailOrder(account.Id, Ask(account, "late"), new("order1"), "too_late"));
        await _world.App.ExecuteAsync(
            new SetAutoTopup(account.Id, Ask(account, "auto"), true, Amount.Credits(75_980), Amount.Usd(10), 3, "sandbox")
        );
        await _world.SpendAsync(account, 30);
        await _world.TellAsync();
        var order = _world.Receiver.All.Single(received => received.At("type") == "auto_topup.started").At("data", "order_id")!;
        await _world.App.ExecuteAsync(new FailOrder(account.Id, Ask(account, "attempt"), new(order), "insufficient_funds"));
        await _world.TellAsync();
        _world.Told().ShouldContain("auto_topup.started order.failed");
        _world.Receiver.All[^1].At("data", "automatic").ShouldBe("true");
        var letter = (await _world.LettersAsync()).ShouldHaveSingleItem();
        letter.ShouldContain("To: auto@example.com\r\n");
        letter.ShouldContain("Subject: An automatic purchase of credits failed\r\n");
        letter.ShouldContain("so more were ordered, for $10. The payment failed: insufficient_funds.");
        letter.ShouldContain($"Account {account.Id}\r\n");
    }

    [Fact]
    public async Task A_subscription_is_told_from_its_start_to_its_end()
    {
        var account = await _world.OpenAsync(credits: 1000, email: "tier@example.com");
        await _world.App.ExecuteAsync(new SetSubscription(account.Id, Ask(account, "set"), "pro"));
        await _world.App.ExecuteAsync(new EndSubscription(account.Id, Ask(account, "end"), false, "canceled"));
        await _world.TellAsync();
        _world.Told().ShouldBe("subscription.started subscription.reset subscription.ended");
        var started = JsonDocument.Parse(DataOf("subscription.started")).RootElement;
        started.GetProperty("tier").GetString().ShouldBe("pro");
        started.GetProperty("started_at").GetString().ShouldBe("2026-07-03T12:00:00Z");
        var id = started.GetProperty("subscription_id").GetString();
        DataOf("subscription.reset")
            .ShouldBe($$"""{"subscription_id":"{{id}}","period":0,"starts_at":"2026-07-03T12:00:00Z","ends_at":"2026-08-03T12:00:00Z"}""");
        DataOf("subscription.ended").ShouldBe($$"""{"subscription_id":"{{id}}","ended_at":"2026-07-03T12:00:00Z","reason":"canceled"}""");
        (await _world.LettersAsync()).ShouldHaveSingleItem().ShouldContain("Subject: Your subscription has ended\r\n");
    }

    [Fact]
    public async Task A_suspension_and_its_end_are_told()
    {
        var account = await _world.OpenAsync();
        await _world.App.SuspendAsync(account.Id);
        await _world.App.ReinstateAsync(account.Id);
        await _world.TellAsync();
        _world.Told().ShouldBe("account.suspended account.reinstated");
        DataOf("account.suspended").ShouldBe("""{"reason":"A test"}""");
    }

    [Fact]
    public async Task A_letter_is_written_in_words()
    {
        var account = await _world.OpenAsync(email: "words@example.com");
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        var letter = (await _world.LettersAsync()).ShouldHaveSingleItem();
        var mail = (await _world.DeliveriesAsync(account)).Single(delivery => delivery.Channel.ToString() == "Email");
        letter.ShouldBe(
            $"""
            From: ledger@localhost
            To: words@example.com
            Subject: Your credits are running low
            Date: Fri, 03 Jul 2026 12:00:00 GMT
            Message-ID: <{mail.Id:N}@localhost>
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            50 credits were available at 2026-07-03 12:00 UTC.

            You wanted to be told at 50, and again at 20.

            Account {account.Id}

            """.ReplaceLineEndings("\r\n")
        );
        mail.Body.ShouldNotContain("example.com");
    }

    [Fact]
    public async Task An_account_without_an_address_for_mail_is_told_by_webhook_only()
    {
        var account = await _world.OpenAsync();
        await _world.Targets.SetAsync(account.Id, _world.Receiver.Address + "/hook", true);
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        _world.Told().ShouldBe("credits.warning");
        var mail = (await _world.DeliveriesAsync(account)).Single(delivery => delivery.Channel.ToString() == "Email");
        (mail.State.ToString(), mail.LastError).ShouldBe(("Dead", "the account has no e-mail address"));
    }

    [Fact]
    public async Task An_account_whose_history_cannot_be_read_holds_up_nobody_and_is_told_what_can_be_said()
    {
        var (broken, other) = (await _world.OpenAsync("/broken"), await _world.OpenAsync("/other"));
        await OrderAsync(broken, "order1");
        await PayAsync(broken, "order1");
        await _world.SpendAsync(other, 10);
        await _world.App.QueryAsync(
            $"update mt_events set type = 'account_dreamt' where stream_id = '{broken.Id.StreamId}' and version = 3"
        );
        await _world.App.GrantAsync(broken.Id, Amount.Credits(1));
        await _world.App.QueryAsync($"delete from accounts where account_id = '{broken.Id}'");
        await _world.RestartAsync();
        await _world.TellAsync();
        _world.Told("/other").ShouldBe("credits.warning");
        _world.Told("/broken").ShouldContain("order.paid");
    }

    private static Guid Ask(TestAccount account, string what) => EventIds.Request(account.Id, what);

    private Task<Verdict> OrderAsync(TestAccount account, string order) =>
        _world.App.ExecuteAsync(new OpenOrder(account.Id, new(order), OrderKind.Payg, null, Amount.Usd(10), "sandbox", null));

    private Task<Verdict> PayAsync(TestAccount account, string order) =>
        _world.App.ExecuteAsync(
            new ConfirmPayment(
                account.Id,
                new(order),
                new("sandbox", "pay-" + order, "pi-" + order, Amount.Usd(10), "USD", null, null, _world.App.Clock.Now)
            )
        );

    private string DataOf(string type) => _world.Receiver.All.Single(received => received.At("type") == type).At("data")!;
}
