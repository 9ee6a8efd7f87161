using System.Collections.Concurrent;
using Ledger.Api.Application;
using Ledger.Api.Application.Readers;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.EventStore;
using Ledger.Projections.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Api.Tests.Payments;

/// <summary>What the log says must be asked of the payment provider is asked, in order, until the provider has answered.</summary>
public sealed class PaymentFollowerTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task An_automatic_order_is_charged_once_although_its_page_is_handed_over_twice()
    {
        var elsewhere = new Elsewhere();
        var follower = FollowerOf(elsewhere);
        var account = await BelowAsync();
        for (var n = 0; n < 2; n++)
            await follower.HandleAsync(await LogAsync(), CancellationToken.None);
        elsewhere.Asked.ShouldBe([$"charge {(await AutomaticAsync(account)).Id}"]);
        (await _app.CreditsAsync(account)).ShouldBe(75_000);
    }

    [Fact]
    public async Task An_answer_that_was_lost_is_asked_for_again_and_grants_once()
    {
        // The money was taken, and the provider says so only the second time.
        var elsewhere = new Elsewhere { LosesAnswers = 1 };
        var follower = FollowerOf(elsewhere);
        var account = await BelowAsync();
        await Should.ThrowAsync<PaymentProviderException>(async () => await follower.HandleAsync(await LogAsync(), CancellationToken.None));
        (await AutomaticAsync(account)).Status.ShouldBe(OrderStatus.Open);
        await follower.HandleAsync(await LogAsync(), CancellationToken.None);
        elsewhere.Asked.Count.ShouldBe(2);
        elsewhere.Asked.Distinct().ShouldHaveSingleItem();
        (await _app.CountsAsync(account))["credits_granted"].ShouldBe(2);
        (await _app.CreditsAsync(account)).ShouldBe(75_000);
    }

    [Fact]
    public async Task A_provider_that_is_away_is_asked_again_until_it_is_back()
    {
        var elsewhere = new Elsewhere { LosesAnswers = 3 };
        using var host = HostOf(FollowerOf(elsewhere));
        await host.StartAsync(CancellationToken.None);
        var account = await BelowAsync();
        await Eventually.IsSoAsync(async () => (await AutomaticAsync(account)).Status == OrderStatus.Paid);
        await host.StopAsync(CancellationToken.None);
        elsewhere.Asked.Count.ShouldBe(4);
        (await _app.CreditsAsync(account)).ShouldBe(75_000);
    }

    [Fact]
    public async Task What_is_refused_for_good_does_not_keep_the_others_waiting()
    {
        var elsewhere = new Elsewhere();
        var follower = FollowerOf(elsewhere);
        var first = await BelowAsync();
        elsewhere.Refuses = (await AutomaticAsync(first)).Id;
        var second = await BelowAsync();
        await follower.HandleAsync(await LogAsync(), CancellationToken.None);
        (await _app.CreditsAsync(first)).ShouldBe(0);
        (await _app.CreditsAsync(second)).ShouldBe(75_000);
    }

    [Fact]
    public async Task A_declined_card_fails_the_order_once()
    {
        var elsewhere = new Elsewhere { Declines = true };
        var follower = FollowerOf(elsewhere);
        var account = await BelowAsync();
        for (var n = 0; n < 2; n++)
            await follower.HandleAsync(await LogAsync(), CancellationToken.None);
        var order = await AutomaticAsync(account);
        (order.Status, order.Reason).ShouldBe((OrderStatus.Failed, "card_declined"));
        (await _app.CountsAsync(account))["order_failed"].ShouldBe(1);
        elsewhere.Asked.Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_order_that_was_made_by_hand_is_not_charged()
    {
        var elsewhere = new Elsewhere();
        var account = await _app.OpenAccountAsync();
        await OrderAsync(account);
        await FollowerOf(elsewhere).HandleAsync(await LogAsync(), CancellationToken.None);
        elsewhere.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Another_providers_orders_are_none_of_its_business()
    {
        // The sandbox's own follower charges this one.
        var elsewhere = new Elsewhere();
        var account = await _app.OpenAccountAsync();
        await _app.BuyCreditsAsync(account, 1);
        (
            await _app.PutAsync("/api/v1/credits/auto-topup", account.Key, """{"enabled":true,"threshold_credits":10000,"amount_usd":10}""")
        ).ShouldBe(200);
        await Eventually.IsSoAsync(async () => (await AutomaticAsync(account)).Status == OrderStatus.Paid);
        await FollowerOf(elsewhere).HandleAsync(await LogAsync(), CancellationToken.None);
        elsewhere.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_decided_about_a_subscription_is_told_its_provider_as_it_stands_now()
    {
        var elsewhere = new Elsewhere();
        var follower = FollowerOf(elsewhere);
        var account = await SubscribedAsync();
        var read = (await LogAsync()).Count;
        (await _app.DeleteAsync("/tenant/subscription", account.Key)).ShouldBe(200);
        await follower.HandleAsync([.. (await LogAsync()).Skip(read)], CancellationToken.None);
        elsewhere.Asked.ShouldBe(["end sub_1 with its period"]);

        // Kept before anybody was told of the end: the end is not told any more.
        (await _app.PutAsync("/tenant/subscription", account.Key, """{"tier":"pro"}""")).ShouldBe(200);
        elsewhere.Asked.Clear();
        await follower.HandleAsync([.. (await LogAsync()).Skip(read)], CancellationToken.None);
        elsewhere.Asked.Distinct().ShouldBe(["keep sub_1", "change sub_1 to pro"]);

        elsewhere.Asked.Clear();
        read = (await LogAsync()).Count;
        (await _app.DeleteAsync("/tenant/subscription?when=now", account.Key)).ShouldBe(200);
        await follower.HandleAsync([.. (await LogAsync()).Skip(read)], CancellationToken.None);
        elsewhere.Asked.ShouldBe(["end sub_1 now"]);
    }

    /// <summary>An account that paid elsewhere by hand, spent it all, and so ordered more.</summary>
    private async Task<TestAccount> BelowAsync()
    {
        var account = await _app.OpenAccountAsync();
        var order = await OrderAsync(account);
        await _app.ExecuteAsync(new ConfirmPayment(account.Id, order, Elsewhere.PaymentOf(order, Amount.Usd(1), null)));
        await _app.ExecuteAsync(
            new SetAutoTopup(
                account.Id,
                EventIds.Request(account.Id, "armed"),
                true,
                Amount.Credits(100),
                Amount.Usd(10),
                5,
                Elsewhere.Called
            )
        );
        (await _app.ChatAsync(account, 1500, "all")).ShouldBe(200);
        return account;
    }

    private async Task<OrderId> OrderAsync(TestAccount account)
    {
        var order = new OrderId("by-hand-" + account.Id);
        await _app.ExecuteAsync(new OpenOrder(account.Id, order, OrderKind.Payg, null, Amount.Usd(1), Elsewhere.Called, null));
        return order;
    }

    private async Task<TestAccount> SubscribedAsync()
    {
        var account = await _app.OpenAccountAsync();
        var order = new OrderId("by-hand-" + account.Id);
        await _app.ExecuteAsync(new OpenOrder(account.Id, order, OrderKind.Subscription, "pro", null, Elsewhere.Called, null));
        await _app.ExecuteAsync(new ConfirmPayment(account.Id, order, Elsewhere.PaymentOf(order, Amount.Usd(20), "sub_1")));
        return account;
    }

    private async Task<Order> AutomaticAsync(TestAccount account) =>
        (await _app.ReadAsync(account.Id)).Orders.All.Values.Single(order => order.IsAutomatic);

    private Task<IReadOnlyList<StoredEvent>> LogAsync() =>
        _app.Services.GetRequiredService<IEventLog>().ReadLogAsync(0, 10_000, CancellationToken.None);

    private PaymentFollower FollowerOf(IPaymentProvider provider)
    {
        var services = _app.Services;
        var ledger = services.GetRequiredService<LedgerService>();
        var desk = new PaymentDesk(
            ledger,
            provider,
            services.GetRequiredService<OrderQueries>(),
            services.GetRequiredService<ProviderEvents>(),
            _app.Clock,
            NullLogger<PaymentDesk>.Instance
        );
        return new(desk, ledger, NullLogger<PaymentFollower>.Instance);
    }

    private ReaderHost HostOf(LogFollower follower) =>
        new(
            [new Beside(follower)],
            _app.Services.GetRequiredService<LedgerService>(),
            _app.Services.GetRequiredService<NpgsqlDataSource>(),
            _app.Services.GetRequiredService<LedgerMetrics>(),
            TimeProvider.System,
            NullLogger<ReaderHost>.Instance
        );

    /// <summary>A follower under another name, since the application's own has the lease of that one, and in more of a hurry.</summary>
    private sealed class Beside(LogFollower follower) : LogFollower
    {
        public override string Name => "payments-beside";

        public override TimeSpan Pause => TimeSpan.FromMilliseconds(5);

        public override Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct) => follower.HandleAsync(page, ct);
    }

    /// <summary>A payment provider outside of the ledger, which loses answers, declines, or refuses for good as it is told.</summary>
    private sealed class Elsewhere : IPaymentProvider
    {
        public const string Called = "elsewhere";

        public ConcurrentQueue<string> Asked { get; } = new();

        public int LosesAnswers { get; set; }

        public bool Declines { get; init; }

        public OrderId? Refuses { get; set; }

        public string Name => Called;

        public static PaymentNotice PaymentOf(OrderId order, Amount amount, string? subscription) =>
            new(Called, "pay_" + order, "pay_" + order, amount, "USD", null, subscription, FixedClock.Start);

        public Task<ChargeOutcome> ChargeAsync(AccountId account, Order order, CancellationToken ct)
        {
            Asked.Enqueue($"charge {order.Id}");
            if (LosesAnswers-- > 0)
                throw new PaymentProviderException("No answer.", isFinal: false);
            if (order.Id == Refuses)
                throw new PaymentProviderException("Never.", isFinal: true);
            return Task.FromResult<ChargeOutcome>(
                Declines ? new ChargeOutcome.Declined("card_declined") : new ChargeOutcome.Paid(PaymentOf(order.Id, order.Price, null))
            );
        }

        public Task ChangeSubscriptionAsync(string reference, SubscriptionTerms terms, Guid id, CancellationToken ct) =>
            TellAsync($"change {reference} to {terms.Tier}");

        public Task EndSubscriptionAsync(string reference, bool atPeriodEnd, CancellationToken ct) =>
            TellAsync($"end {reference} {(atPeriodEnd ? "with its period" : "now")}");

        public Task KeepSubscriptionAsync(string reference, CancellationToken ct) => TellAsync($"keep {reference}");

        public IAsyncEnumerable<ProviderEvent> TellAgainAsync(DateTimeOffset since, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<string> CreateCustomerAsync(AccountId account, CancellationToken ct) => throw new NotSupportedException();

        public Task<CheckoutPage> OpenCheckoutAsync(AccountId account, Order order, Uri server, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<string> OpenPortalAsync(AccountId account, string customer, Uri server, CancellationToken ct) =>
            throw new NotSupportedException();

        private Task TellAsync(string what)
        {
            Asked.Enqueue(what);
            return Task.CompletedTask;
        }
    }
}
