using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ledger.Api.Notifications;
using Ledger.Domain.Money;
using Ledger.Projections.Notifications;
using Ledger.Testing;

namespace Ledger.Api.Tests.Notifications;

/// <summary>What is not taken is sent again by the schedule, in order, until it is given up.</summary>
public sealed class RetryTests : IAsyncLifetime
{
    private NotificationWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await NotificationWorld.CreateAsync(("Notifications:Timeout", "00:02:00"));

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task What_fails_is_sent_again_by_the_schedule_and_is_dead_after_the_last_time()
    {
        Answer(500, "try\r\n\u0000later\u202e");
        var account = await TroubledAsync();
        (await _world.TellAsync()).ShouldBe(1);
        foreach (
            var (failures, pause) in ((int, string)[])
                [
                    (1, "00:00:05"),
                    (2, "00:00:30"),
                    (3, "00:02:00"),
                    (4, "00:10:00"),
                    (5, "01:00:00"),
                    (6, "03:00:00"),
                    (7, "06:00:00"),
                    (8, "12:00:00"),
                ]
        )
        {
            var waiting = (await _world.DeliveriesAsync(account)).Single();
            (waiting.State, waiting.Attempts, waiting.LastStatus, waiting.LastError).ShouldBe(
                (DeliveryState.Waiting, failures, 500, "answered 500: try later")
            );
            var wait = TimeSpan.Parse(pause, CultureInfo.InvariantCulture);
            waiting.NextAt.ShouldBe(_world.App.Clock.Now + wait);

            _world.App.Clock.Advance(wait - TimeSpan.FromMilliseconds(1));
            (await _world.SendAsync()).ShouldBe(0, $"after {failures} failures");
            _world.App.Clock.Advance(TimeSpan.FromMilliseconds(1));
            (await _world.SendAsync()).ShouldBe(1, $"after {failures} failures");
        }

        var dead = (await _world.DeliveriesAsync(account)).Single();
        (dead.State, dead.Attempts, dead.NextAt).ShouldBe((DeliveryState.Dead, 9, null));
        _world.App.Clock.Advance(TimeSpan.FromDays(30));
        (await _world.SendAsync()).ShouldBe(0);

        // The same each time but for the signature, which is of the moment.
        _world.Receiver.All.Count.ShouldBe(9);
        _world.Receiver.All.Select(received => received.Text).Distinct().ShouldHaveSingleItem();
        _world.Receiver.All.Select(received => received.Headers["Ledger-Event-Id"]).Distinct().ShouldHaveSingleItem();
        _world.Receiver.All.Select(received => received.Headers["Ledger-Signature"]).Distinct().Count().ShouldBe(9);
    }

    [Fact]
    public async Task What_comes_later_waits_for_what_came_before_and_is_sent_in_order_once_that_is_taken()
    {
        Answer(503);
        var account = await TroubledAsync();
        await _world.SpendAsync(account, 30);
        (await _world.TellAsync()).ShouldBe(1);
        await _world.App.GrantAsync(account.Id, Amount.Credits(100));
        _world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        (await _world.TellAsync()).ShouldBe(1);
        _world.Told().ShouldBe("credits.warning credits.warning");

        Answer(204);
        _world.App.Clock.Advance(TimeSpan.FromSeconds(30));
        (await _world.SendAsync()).ShouldBe(3);
        _world.Told().ShouldBe("credits.warning credits.warning credits.warning credits.critical credits.recovered");
    }

    [Fact]
    public async Task What_comes_after_a_dead_letter_is_sent()
    {
        Answer(500);
        var account = await TroubledAsync();
        await _world.SpendAsync(account, 30);
        await _world.FollowAsync();
        await ExhaustAsync();
        (await StatesAsync(account)).ShouldBe("Dead Waiting");
        Answer(200);
        _world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        await _world.SendAsync();
        (await StatesAsync(account)).ShouldBe("Dead Delivered");
    }

    [Fact]
    public async Task Mail_does_not_wait_for_webhooks_nor_one_account_for_another()
    {
        _world.Receiver.Answer = received => Task.FromResult(new Reply(received.Path == "/hook" ? 500 : 200));
        var account = await _world.OpenAsync(email: "both@example.com");
        var other = await _world.OpenAsync("/other");
        await _world.SpendAsync(account, 10);
        await _world.SpendAsync(other, 10);
        await _world.TellAsync();
        (await _world.LettersAsync()).Count.ShouldBe(1);
        _world.Told("/other").ShouldBe("credits.warning");
    }

    [Fact]
    public async Task Who_is_gone_is_not_asked_again()
    {
        Answer(410, "gone for good");
        var account = await TroubledAsync();
        await _world.TellAsync();
        var dead = (await _world.DeliveriesAsync(account)).Single();
        (dead.State, dead.Attempts, dead.LastStatus, dead.LastError).ShouldBe((DeliveryState.Dead, 1, 410, "answered 410: gone for good"));
    }

    [Fact]
    public async Task What_waited_for_three_days_is_tried_once_more_and_then_given_up_so_that_nothing_piles_up_for_ever()
    {
        Answer(500);
        var account = await TroubledAsync();
        await _world.SpendAsync(account, 30);
        await _world.FollowAsync();
        _world.App.Clock.Advance(NotificationSender.Patience);
        (await _world.SendAsync()).ShouldBe(2);
        (await StatesAsync(account)).ShouldBe("Dead Dead");
    }

    [Fact]
    public async Task A_redirect_is_a_failure_and_not_followed()
    {
        _world.Receiver.Answer = _ => Task.FromResult(new Reply(307, Location: _world.Receiver.Address + "/elsewhere"));
        var account = await TroubledAsync();
        await _world.TellAsync();
        _world.Receiver.At("/elsewhere").ShouldBeEmpty();
        (await _world.DeliveriesAsync(account)).Single().LastError.ShouldBe("answered 307, and redirects are not followed");
    }

    [Fact]
    public async Task Whoever_does_not_answer_in_time_has_not_taken_it_and_holds_up_nobody_else()
    {
        var stuck = new TaskCompletionSource<Reply>();
        _world.App.Clock.Hold(TimeSpan.FromMinutes(2));
        _world.Receiver.Answer = received => received.Path == "/hook" ? stuck.Task : Task.FromResult(new Reply(200));
        var account = await TroubledAsync();
        var others = new List<TestAccount>();
        for (var n = 0; n < 5; n++)
        {
            var other = await _world.OpenAsync($"/other-{n}");
            await _world.SpendAsync(other, 10);
            others.Add(other);
        }

        await _world.FollowAsync();
        var sending = _world.SendAsync();
        await Eventually.IsSoAsync(() => others.All(other => _world.Receiver.All.Count(r => r.At("account_id") == other.Id.Value) == 1));

        // And what comes meanwhile is sent meanwhile.
        await _world.App.GrantAsync(others[0].Id, Amount.Credits(100));
        await _world.FollowAsync();
        await Eventually.IsSoAsync(() => _world.Told("/other-0") == "credits.warning credits.recovered");
        _world.App.Clock.RunOut();
        await sending;
        stuck.SetResult(new(200));
        var waiting = (await _world.DeliveriesAsync(account)).Single();
        (waiting.State, waiting.LastStatus, waiting.LastError).ShouldBe((DeliveryState.Waiting, null, "no answer within 120 s"));
    }

    [Fact]
    public async Task An_answer_that_never_ends_is_cut_off()
    {
        Answer(400, new string('x', 100_000));
        var account = await TroubledAsync();
        await _world.TellAsync();
        (await _world.DeliveriesAsync(account)).Single().LastError.ShouldBe("answered 400: " + new string('x', 1024));
    }

    [Fact]
    public async Task Where_nobody_listens_the_error_says_so()
    {
        var account = await TroubledAsync();
        await _world.Receiver.DisposeAsync();
        await _world.TellAsync();
        var waiting = (await _world.DeliveriesAsync(account)).Single();
        (waiting.State, waiting.LastStatus, waiting.LastError).ShouldBe((DeliveryState.Waiting, null, "Connection refused"));
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_not_taken()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            FixedClock.Start.AddYears(-10),
            FixedClock.Start.AddYears(10)
        );
        await using var receiver = await Receiver.StartAsync(certificate);
        var account = await TroubledAsync();
        await _world.Targets.SetAsync(account.Id, receiver.Address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal), false);
        await _world.TellAsync();
        receiver.All.ShouldBeEmpty();
        (await _world.DeliveriesAsync(account)).Single().LastError.ShouldNotBeNull().ShouldContain("certificate");
    }

    [Fact]
    public async Task A_new_address_gets_at_once_what_the_old_one_did_not_take_signed_with_its_own_secret()
    {
        _world.Receiver.Answer = received => Task.FromResult(new Reply(received.Path == "/hook" ? 500 : 200));
        var account = await TroubledAsync();
        await _world.TellAsync();
        var secret = (await _world.Targets.SetAsync(account.Id, _world.Receiver.Address + "/mended", false)).ShouldNotBeNull();
        (await _world.SendAsync()).ShouldBe(1);
        var received = _world.Receiver.At("/mended").Single();
        received.Headers["Ledger-Signature"].ShouldBe(WebhookSignature.Of(secret, received.Body, _world.App.Clock.Now));

        // And what waits for an address that is taken away is given up.
        await _world.SpendAsync(account, 30);
        await _world.FollowAsync();
        await _world.Targets.SetAsync(account.Id, null, false);
        await _world.SendAsync();
        var dead = (await _world.DeliveriesAsync(account))[^1];
        (dead.State, dead.LastError).ShouldBe((DeliveryState.Dead, "the account has no address any more"));
    }

    [Fact]
    public async Task A_letter_that_cannot_be_sent_is_tried_again_by_the_same_schedule()
    {
        // A file where the folder for mail should be.
        var mail = Path.Combine(_world.App.DataFolder, "mail");
        Directory.CreateDirectory(_world.App.DataFolder);
        await File.WriteAllTextAsync(mail, "in the way");
        var account = await _world.OpenAsync(email: "later@example.com");
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        var letter = (await _world.DeliveriesAsync(account)).Single(delivery => delivery.Channel == DeliveryChannel.Email);
        (letter.State, letter.Attempts, letter.NextAt).ShouldBe((DeliveryState.Waiting, 1, _world.App.Clock.Now.AddSeconds(5)));
        letter.LastError.ShouldNotBeNullOrWhiteSpace();

        File.Delete(mail);
        _world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        (await _world.SendAsync()).ShouldBe(1);
        (await _world.LettersAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_was_delivered_is_forgotten_after_a_while_and_what_was_not_is_kept()
    {
        var account = await TroubledAsync();
        await _world.TellAsync();
        Answer(410);
        await _world.SpendAsync(account, 30);
        await _world.TellAsync();
        _world.App.Clock.Advance(TimeSpan.FromDays(30));
        await _world.SendAsync();
        (await StatesAsync(account)).ShouldBe("Delivered Dead");
        _world.App.Clock.Advance(TimeSpan.FromHours(1));
        await _world.SendAsync();
        (await StatesAsync(account)).ShouldBe("Dead");
    }

    [Fact]
    public async Task Attempts_and_what_is_left_to_do_are_measured()
    {
        using var metrics = MeterReadings.Of(_world.App.Services);
        Answer(500);
        var account = await TroubledAsync();
        await _world.SpendAsync(account, 30);
        await _world.TellAsync();
        _world.App.Clock.Advance(TimeSpan.FromSeconds(60));
        await _world.Sender.CountAsync(CancellationToken.None);
        metrics.Total("ledger.deliveries", ("channel", "webhook"), ("outcome", "failed")).ShouldBe(1);
        metrics.Gauge("ledger.deliveries.waiting").ShouldBe(2);
        metrics.Gauge("ledger.deliveries.waiting.time").ShouldBe(60);
        metrics.Gauge("ledger.deliveries.dead").ShouldBe(0);

        Answer(410);
        await _world.SendAsync();
        await _world.Sender.CountAsync(CancellationToken.None);
        metrics.Total("ledger.deliveries", ("channel", "webhook"), ("outcome", "dead")).ShouldBe(2);
        metrics.Gauge("ledger.deliveries.waiting").ShouldBe(0);
        metrics.Gauge("ledger.deliveries.waiting.time").ShouldBe(0);
        metrics.Gauge("ledger.deliveries.dead").ShouldBe(2);
    }

    /// <summary>An account with one thing to be told at <c>/hook</c>.</summary>
    private async Task<TestAccount> TroubledAsync()
    {
        var account = await _world.OpenAsync();
        await _world.SpendAsync(account, 10);
        return account;
    }

    private void Answer(int status, string body = "") => _world.Receiver.Answer = _ => Task.FromResult(new Reply(status, body));

    /// <summary>Fails until the first that waits is dead; what is behind it has then failed once.</summary>
    private async Task ExhaustAsync()
    {
        await _world.SendAsync();
        foreach (var pause in NotificationSender.Schedule)
        {
            _world.App.Clock.Advance(pause);
            await _world.SendAsync();
        }
    }

    private async Task<string> StatesAsync(TestAccount account) =>
        string.Join(' ', (await _world.DeliveriesAsync(account)).Select(delivery => delivery.State));
}
