using Ledger.Api.Application;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>An application that takes payments through Stripe, and the Stripe that it takes them through.</summary>
public sealed class StripeShop : IAsyncLifetime
{
    private static readonly Uri Server = new("http://ledger.test/");
    private int _asked;

    public LedgerApp App { get; private set; } = null!;

    public StripeStandIn Stripe { get; private set; } = null!;

    public StripeWorld World => Stripe.World;

    public PaymentDesk Desk => App.Services.GetRequiredService<PaymentDesk>();

    public static async Task<StripeShop> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var shop = new StripeShop();
        await shop.StartAsync(settings ?? new Dictionary<string, string>(), null);
        return shop;
    }

    public ValueTask InitializeAsync() => new(StartAsync(new Dictionary<string, string>(), null));

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Stripe.DisposeAsync();
    }

    /// <summary>Asks for a page.</summary>
    public Task<Checkout> OpenAsync(AccountId account, OrderKind kind, string? item = null, Amount? pays = null) =>
        Desk.OpenAsync(
            account,
            null,
            kind,
            item,
            pays,
            Server,
            new Caller("operator", $"shop-{Interlocked.Increment(ref _asked)}"),
            CancellationToken.None
        );

    /// <summary>Orders credits for ten dollars, which are 75,000, and answers with the order and its page.</summary>
    public async Task<(Order Order, string Session)> OrderCreditsAsync(AccountId account)
    {
        var checkout = await OpenAsync(account, OrderKind.Payg, pays: Amount.Usd(10));
        checkout.Refusal.ShouldBeNull();
        return (checkout.Order!, checkout.Page!.Session);
    }

    /// <summary>Buys credits for ten dollars.</summary>
    public async Task<(Order Order, Purchase Purchase)> BuyCreditsAsync(AccountId account)
    {
        var (order, session) = await OrderCreditsAsync(account);
        var purchase = World.Pay(session);
        await TellAsync(purchase.Completed);
        return (order, purchase);
    }

    /// <summary>Subscribes to the level <c>pro</c>: 2,000 credits a month for twenty dollars.</summary>
    public async Task<(Order Order, Purchase Purchase)> SubscribeAsync(AccountId account)
    {
        var checkout = await OpenAsync(account, OrderKind.Subscription, "pro");
        checkout.Refusal.ShouldBeNull();
        var purchase = World.Pay(checkout.Page!.Session);
        await TellAsync(purchase.Completed, purchase.InvoicePaid!);
        return (checkout.Order!, purchase);
    }

    /// <summary>Delivers one.</summary>
    public Task<Answer> DeliverAsync(Telling telling) => Stripe.DeliverAsync(App, telling);

    /// <summary>Delivers some, one after the other, each of which must be taken.</summary>
    public async Task TellAsync(params Telling[] tellings)
    {
        ArgumentNullException.ThrowIfNull(tellings);
        foreach (var telling in tellings)
            (await DeliverAsync(telling)).ShouldBe(200, """{"received":true}""");
    }

    /// <summary>The order as it is now.</summary>
    public async Task<Order> ReadAsync(AccountId account, OrderId order) => (await App.ReadAsync(account)).Orders.Find(order)!;

    /// <summary>What was written down about something that was told: its outcome, how often it came, and more.</summary>
    public async Task<string?> NoteAsync(Telling telling)
    {
        ArgumentNullException.ThrowIfNull(telling);
        return (string?)
            await App.QueryAsync(
                $"""
                select p.outcome || coalesce(', ' || p.detail, '')
                from provider_events p
                where p.provider = 'stripe'
                  and p.event_id = '{telling.Id}'
                """
            );
    }

    /// <summary>How often something of an account was granted.</summary>
    public async Task<int> GrantsAsync(AccountId account) =>
        (await App.EventsAsync(account)).Count(stored => stored.Type == "credits_granted");

    /// <summary>Stops the application and starts another on the same database and the same Stripe.</summary>
    public async Task RestartAsync() => App = await App.RestartAsync();

    private async Task StartAsync(IReadOnlyDictionary<string, string> settings, FixedClock? clock)
    {
        clock ??= new();
        Stripe = await StripeStandIn.StartAsync(clock);
        var all = Stripe.Settings;
        foreach (var (name, value) in settings)
            all[name] = value;
        App = await LedgerApp.StartAsync(clock: clock, settings: all);
    }
}
