using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Payments;

namespace Ledger.Projections.Tests;

public sealed class OrderQueriesTests
{
    private static readonly DateTimeOffset Start = LedgerDatabase.Start;
    private static readonly AccountId A = new("a000");
    private static readonly AccountId B = new("a001");

    [Fact]
    public async Task An_order_is_found_by_its_page_and_by_its_payment_at_its_own_provider_only()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        (await queries.FindSessionAsync("stripe", "page-2", default)).ShouldBe(new OrderPlace(B, new("two")));
        (await queries.FindSessionAsync("sandbox", "page-2", default)).ShouldBeNull();
        (await queries.FindSessionAsync("stripe", "page-9", default)).ShouldBeNull();
        (await queries.FindIntentAsync("stripe", "pi-one", default)).ShouldBe(new OrderPlace(A, new("one")));
        (await queries.FindIntentAsync("sandbox", "pi-one", default)).ShouldBeNull();
        (await queries.FindIntentAsync("stripe", "pi-none", default)).ShouldBeNull("nobody has paid it");
    }

    [Fact]
    public async Task A_subscriber_is_found_by_the_providers_name_for_the_subscription()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        (await queries.FindSubscriptionAsync("stripe", "sub-two", default)).ShouldBe(B);
        (await queries.FindSubscriptionAsync("sandbox", "sub-two", default)).ShouldBeNull();
        (await queries.FindSubscriptionAsync("stripe", "sub-nine", default)).ShouldBeNull();
    }

    [Fact]
    public async Task Subscriptions_whose_paid_period_is_over_are_found_until_they_end_or_are_paid()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        var end = Start.AddMinutes(1).AddMonths(1);
        (await queries.FindRenewalsAsync("stripe", end.AddTicks(-10), 10, default)).ShouldBeEmpty();
        (await queries.FindRenewalsAsync("stripe", end, 10, default)).ShouldBe([new RenewalDue(B, "sub-two", end)]);
        (await queries.FindRenewalsAsync("sandbox", end, 10, default)).ShouldBeEmpty();

        await using var history = await ReopenAsync(ledger);
        await history.SendAsync(new EndSubscription(B, EventIds.Request(B, "end"), AtPeriodEnd: true, "canceled"));
        (await queries.FindRenewalsAsync("stripe", end, 10, default)).ShouldBeEmpty();
        await history.SendAsync(new ContinueSubscription(B, EventIds.Request(B, "go-on")));
        (await queries.FindRenewalsAsync("stripe", end, 10, default)).Count.ShouldBe(1);
        await history.SendAsync(new RenewSubscription(B, new("stripe", "in-1", null, Amount.Usd(10), "USD", null, "sub-two", end)));
        (await queries.FindRenewalsAsync("stripe", end, 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_pack_is_in_use_while_somebody_has_some_of_it_or_may_pay_for_it()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        (await queries.FindPacksInUseAsync(Start, default)).ShouldBe([("pack", "openai/gpt")]);
        (await queries.FindPacksInUseAsync(Start.AddDays(29), default)).ShouldBe([("pack", "openai/gpt")]);
        (await queries.FindPacksInUseAsync(Start.AddDays(31), default)).ShouldBeEmpty("it has lapsed");

        await using var history = await ReopenAsync(ledger);
        await history.SendAsync(new RefundOrder(A, new("one"), "stripe", "pi-one", Amount.Usd(9), "USD"));
        (await queries.FindPacksInUseAsync(Start, default)).ShouldBeEmpty("nothing is left of it");
        await history.SendAsync(new OpenOrder(A, new("again"), OrderKind.Pack, "pack", null, "stripe", null));
        (await queries.FindPacksInUseAsync(Start, default)).ShouldBe([("pack", "openai/gpt")], "it may be paid any moment");
        await history.SendAsync(new ExpireOrder(A, new("again")));
        (await queries.FindPacksInUseAsync(Start, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_level_is_in_use_while_somebody_has_it_will_have_it_or_may_pay_for_it()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        (await queries.FindTiersInUseAsync(Start, default)).ShouldBe(["small"]);

        await using var history = await ReopenAsync(ledger);
        await history.SendAsync(new ChangeSubscription(B, EventIds.Request(B, "change"), "large", AtPeriodEnd: true));
        (await queries.FindTiersInUseAsync(Start, default)).ShouldBe(["large", "small"]);
        await history.SendAsync(new EndSubscription(B, EventIds.Request(B, "end"), AtPeriodEnd: false, "canceled"));
        (await queries.FindTiersInUseAsync(Start, default)).ShouldBeEmpty();
        await history.SendAsync(new OpenOrder(A, new("sub"), OrderKind.Subscription, "large", null, "stripe", null));
        (await queries.FindTiersInUseAsync(Start, default)).ShouldBe(["large"]);
        (await queries.FindTiersInUseAsync(Start.AddDays(2), default)).ShouldBeEmpty("its page is closed by then");
    }

    [Fact]
    public async Task Payments_are_listed_in_their_order_and_add_up()
    {
        await using var ledger = await FilledAsync();
        var queries = new OrderQueries(ledger.Database);
        var (from, to) = (Start, Start.AddDays(1));
        var all = await queries.ListPaymentsAsync(from, to, null, null, 10, default);
        all.Select(line => $"{line.Account} {line.Order.Id}").ShouldBe(["a000 one", "a001 two", "a001 three"]);
        all[0].Order.Payment.ShouldBe("cs-one");
        all[0].Order.Disputes.ShouldBeEmpty();

        // From a place on, by provider, and the end of a time is not in it.
        var rest = await queries.ListPaymentsAsync(from, to, "stripe", (all[0].Order.PaidAt!.Value, "a000", "one"), 1, default);
        rest.ShouldHaveSingleItem().Order.Id.ShouldBe(new("two"));
        (await queries.ListPaymentsAsync(from, all[2].Order.PaidAt!.Value, null, null, 10, default)).Count.ShouldBe(2);
        (await queries.ListPaymentsAsync(from, to, "sandbox", null, 10, default)).ShouldBeEmpty();

        (await queries.SumPaymentsAsync(from, to, "stripe", default)).ShouldBe(new PaymentTotals(3, 24_000_000_000, 0, 0));
        await using var history = await ReopenAsync(ledger);
        await history.SendAsync(
            new RefundOrder(A, new("one"), "stripe", "pi-one", Amount.Usd(4), "USD"),
            new DisputeOrder(B, new("two"), "stripe", "dp-1", Amount.Usd(10), "USD"),
            new DisputeOrder(B, new("three"), "stripe", "dp-2", Amount.Usd(5), "USD"),
            new WinDispute(B, new("three"), "stripe", "dp-2")
        );
        (await queries.SumPaymentsAsync(from, to, null, default)).ShouldBe(
            new PaymentTotals(3, 24_000_000_000, 4_000_000_000, 10_000_000_000)
        );
        (await queries.SumPaymentsAsync(to, to.AddDays(1), null, default)).ShouldBe(new PaymentTotals(0, 0, 0, 0));
        (await queries.ListPaymentsAsync(from, to, null, null, 10, default))[1]
            .Order.Disputes.ShouldBe([new("dp-1", 10_000_000_000, false)]);
    }

    /// <summary>One account bought a pack, another a subscription and dollars; an order of the first waits.</summary>
    private static async Task<LedgerDatabase> FilledAsync()
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 2);
        await history.SendAsync(
            new OpenAccount(A, null),
            new OpenOrder(A, new("one"), OrderKind.Pack, "pack", null, "stripe", null),
            new AttachSession(A, new("one"), "page-1"),
            new ConfirmPayment(A, new("one"), Paid("one", 9)),
            new OpenOrder(A, new("none"), OrderKind.Payg, null, Amount.Usd(5), "stripe", null)
        );
        history.Now += TimeSpan.FromMinutes(1);
        await history.SendAsync(
            new OpenAccount(B, null),
            new OpenOrder(B, new("two"), OrderKind.Subscription, "small", null, "stripe", null),
            new AttachSession(B, new("two"), "page-2"),
            new ConfirmPayment(B, new("two"), Paid("two", 10) with { Subscription = "sub-two", At = history.Now })
        );
        history.Now += TimeSpan.FromMinutes(1);
        await history.SendAsync(
            new OpenOrder(B, new("three"), OrderKind.Topup, null, Amount.Usd(5), "stripe", null),
            new ConfirmPayment(B, new("three"), Paid("three", 5))
        );
        return ledger;
    }

    private static PaymentNotice Paid(string order, long dollars) =>
        new("stripe", "cs-" + order, "pi-" + order, Amount.Usd(dollars), "USD", null, null, Start);

    /// <summary>A writer that goes on where another one stopped.</summary>
    private static async Task<History> ReopenAsync(LedgerDatabase ledger)
    {
        var history = await ledger.OpenHistoryAsync(1, 2);
        await history.LoadAsync(ledger);
        history.Now = Start.AddMinutes(3);
        return history;
    }
}
