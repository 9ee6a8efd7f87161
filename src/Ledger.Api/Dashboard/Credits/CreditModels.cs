using Ledger.Domain.Alerts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Subscriptions;

namespace Ledger.Api.Dashboard.Credits;

/// <summary>What there is, and buying more of it.</summary>
/// <param name="Credits">Credits that may be spent now, packs apart.</param>
/// <param name="Usd">Dollars that may be spent now; null where there never were any.</param>
/// <param name="Packs">Credits of packs that can be spent now.</param>
/// <param name="Payg">Terms of buying credits.</param>
/// <param name="Topup">Terms of paying dollars in.</param>
/// <param name="Offers">Round sums, and the credits that each buys.</param>
/// <param name="Orders">The purchases that are shown, newest first.</param>
/// <param name="Total">How many purchases there are.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
/// <param name="IsSandbox">Whether nobody really pays here.</param>
/// <param name="Buying">The form for credits as it was sent; blank where it was not.</param>
/// <param name="Paying">The form for dollars as it was sent; blank where it was not.</param>
/// <param name="Outcome">What one has come back from; null for nothing.</param>
/// <param name="Notice">What else there is to be said; null for nothing.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
public sealed record CreditsModel(
    Amount Credits,
    Amount? Usd,
    Amount Packs,
    PaygTerms Payg,
    TopupTerms Topup,
    IReadOnlyList<(Amount Price, Amount Gives)> Offers,
    IReadOnlyList<OrderLine> Orders,
    int Total,
    string? First,
    string? Next,
    bool IsSandbox,
    FormPost Buying,
    FormPost Paying,
    OrderLine? Outcome,
    string? Notice,
    string? Problem
);

/// <summary>One purchase.</summary>
/// <param name="Line">The purchase.</param>
/// <param name="Left">What is left of what it gave, held included; null where it gave nothing.</param>
/// <param name="CanPay">Whether its page can be opened again.</param>
/// <param name="Problem">What went wrong; null for nothing.</param>
public sealed record OrderModel(OrderLine Line, Amount? Left, bool CanPay, string? Problem);

/// <summary>The subscription, and what else there is.</summary>
/// <param name="Subscription">The one that there is, or was last.</param>
/// <param name="Quota">What of its tokens is used in this window.</param>
/// <param name="Tiers">What is sold.</param>
/// <param name="IsSandbox">Whether nobody really pays here.</param>
/// <param name="Outcome">What one has come back from; null for nothing.</param>
/// <param name="Notice">What was done; null for nothing.</param>
/// <param name="Problem">What went wrong; null for nothing.</param>
public sealed record SubscriptionModel(
    Subscription Subscription,
    QuotaUse Quota,
    IReadOnlyList<SubscriptionTerms> Tiers,
    bool IsSandbox,
    OrderLine? Outcome,
    string? Notice,
    string? Problem
);

/// <summary>Credits that are bought when too few are left.</summary>
/// <param name="Topup">What was said of that.</param>
/// <param name="Payg">Terms of buying credits.</param>
/// <param name="HasCard">Whether something was paid before, so that there is a card to charge.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Notice">What was done; null for nothing.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
public sealed record AutoTopupModel(AutoTopup Topup, PaygTerms Payg, bool HasCard, FormPost Form, string? Notice, string? Problem);

/// <summary>What is told when too few credits are left, and where.</summary>
/// <param name="Alerts">From when on.</param>
/// <param name="Available">What there is now.</param>
/// <param name="Url">The address that webhooks go to; null for none.</param>
/// <param name="ByMail">Whether there is mail.</param>
/// <param name="Email">Where that goes; null where the account has no address.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Secret">The secret that signs webhooks, this once; null where the address is not new.</param>
/// <param name="Notice">What was done; null for nothing.</param>
public sealed record AlertsModel(
    Alerts Alerts,
    Amount Available,
    string? Url,
    bool ByMail,
    string? Email,
    FormPost Form,
    string? Secret,
    string? Notice
);
