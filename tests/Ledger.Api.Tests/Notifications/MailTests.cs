using Ledger.Projections.Notifications;
using Ledger.Testing;

namespace Ledger.Api.Tests.Notifications;

/// <summary>What accounts are told by mail, through a mail server.</summary>
public sealed class MailTests : IAsyncLifetime
{
    private readonly MailServer _mail = MailServer.Start();
    private NotificationWorld _world = null!;

    public async ValueTask InitializeAsync() =>
        _world = await NotificationWorld.CreateAsync(
            ("Mail:SmtpHost", "127.0.0.1"),
            ("Mail:SmtpPort", _mail.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            ("Mail:SmtpTls", "false")
        );

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _mail.DisposeAsync();
    }

    [Fact]
    public async Task A_letter_that_was_taken_is_delivered()
    {
        var delivery = await TellAsync("taken@example.com");
        (delivery.State, delivery.Attempts, delivery.LastError).ShouldBe((DeliveryState.Delivered, 1, null));
        var letter = _mail.Letters.ShouldHaveSingleItem();
        letter.ShouldContain("To: taken@example.com");
        letter.ShouldContain("Subject: Your credits are running low");
        letter.ShouldContain($"Message-ID: <{delivery.Id:N}@localhost>", Case.Insensitive);
        (await _world.LettersAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_letter_whose_recipient_is_refused_for_good_is_dead_and_the_error_does_not_say_whom_it_was_for()
    {
        _mail.Recipient = "550 5.1.1 <refused@example.com> unknown";
        var delivery = await TellAsync("refused@example.com");
        (delivery.State, delivery.Attempts).ShouldBe((DeliveryState.Dead, 1));
        delivery.LastError.ShouldBe("Mailbox unavailable. The server response was: 5.1.1 <…> unknown");
    }

    [Fact]
    public async Task A_letter_whose_recipient_is_refused_for_now_is_sent_again()
    {
        _mail.Recipient = "451 4.7.1 come back later";
        var delivery = await TellAsync("grey@example.com");
        (delivery.State, delivery.NextAt).ShouldBe((DeliveryState.Waiting, _world.App.Clock.Now.AddSeconds(5)));
        _mail.Recipient = "250 ok";
        _world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        (await _world.SendAsync()).ShouldBe(1);
        _mail.Letters.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_mail_server_that_is_away_is_waited_for()
    {
        await _mail.DisposeAsync();
        var delivery = await TellAsync("away@example.com");
        (delivery.State, delivery.Attempts, delivery.LastError).ShouldBe((DeliveryState.Waiting, 1, "Connection refused"));
    }

    private async Task<Delivery> TellAsync(string email)
    {
        var account = await _world.OpenAsync(email: email);
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        return (await _world.DeliveriesAsync(account)).Single(delivery => delivery.Channel == DeliveryChannel.Email);
    }
}
