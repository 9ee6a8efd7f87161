using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Payments;

/// <summary>
/// Buys credits by itself when too few are left: once for each time that the balance falls to the threshold, so often a day at most, and less and
/// less often while the card is declined.
/// </summary>
/// <param name="IsOn">Whether it does.</param>
/// <param name="Threshold">At how many available credits or fewer.</param>
/// <param name="Price">For how much each time, in dollars.</param>
/// <param name="MaxPerDay">How often in 24 hours at most.</param>
/// <param name="Provider">Who charges the card.</param>
/// <param name="IsArmed">Whether the balance was above the threshold since it last bought.</param>
/// <param name="IsBelow">Whether the balance is at the threshold or below.</param>
/// <param name="Pending">What it has ordered and does not know the outcome of.</param>
/// <param name="Failures">How many of its orders have failed in a row.</param>
/// <param name="RetryAt">Before when it does not try again; null where the last one did not fail.</param>
/// <param name="Recent">When it has ordered in the last 24 hours, oldest first.</param>
public sealed record AutoTopup(
    bool IsOn,
    Amount Threshold,
    Amount Price,
    int MaxPerDay,
    string? Provider,
    bool IsArmed,
    bool IsBelow,
    OrderId? Pending,
    int Failures,
    DateTimeOffset? RetryAt,
    ImmutableArray<DateTimeOffset> Recent
)
{
    /// <summary>How often in 24 hours it may be told to buy at most.</summary>
    public const int MostPerDay = 24;

    private static readonly TimeSpan Day = TimeSpan.FromHours(24);

    /// <summary>It does not.</summary>
    public static AutoTopup Off { get; } =
        new(false, Amount.Zero(Unit.Credits), Amount.Zero(Unit.Usd), 0, null, true, false, null, 0, null, []);

    /// <summary>When it should be looked at although nothing happens: it wants to buy and has to wait until then. Far in the future where it does not.</summary>
    public DateTimeOffset NextDue
    {
        get
        {
            if (!IsOn || !IsArmed || !IsBelow || Pending is not null)
                return DateTimeOffset.MaxValue;
            var ceiling = Recent.Length < MaxPerDay ? DateTimeOffset.MinValue : Recent[^MaxPerDay] + Day;
            return RetryAt > ceiling ? RetryAt.Value : ceiling;
        }
    }

    /// <summary>After how many failures in a row it waits for how long: an hour, doubled each time, a day at most.</summary>
    public static TimeSpan BackOff(int failures) => TimeSpan.FromHours(Math.Min(Math.Pow(2, Math.Clamp(failures - 1, 0, 10)), 24));

    /// <summary>What it orders now, if it does.</summary>
    internal AccountEvent? After(Account account, Guid command, RateCard card, DateTimeOffset now)
    {
        if (!IsOn || NextDue > now || account.Status != AccountStatus.Open || account.Orders.All.Count >= Orders.MaxEver)
            return null;
        var terms = card.Document.Payg;
        if (
            Price < Amount.Usd(terms.MinAmountUsd)
            || Price > Amount.Usd(terms.MaxAmountUsd)
            || Money.Price.Credits(Price, terms.CreditsPerDollar) is not { IsPositive: true } gives
            || !account.Wallet.CanTake(gives)
            || !account.Orders.HasPaidThrough(Provider!)
        )
            return null;
        return new OrderOpened(
            EventIds.AutomaticOrder(account.Id, command, account.Version + 1),
            OrderKind.Payg,
            null,
            Price,
            gives,
            null,
            null,
            terms.CreditsPerDollar,
            card.Version,
            Provider!,
            account.Orders.CustomerAt(Provider!),
            now + Orders.Lifetime,
            true
        );
    }

    /// <summary>The state after one more event. Never refuses.</summary>
    /// <param name="topup">The state before.</param>
    /// <param name="event">What happened.</param>
    /// <param name="wallet">The wallet after it.</param>
    /// <param name="at">When.</param>
    public static AutoTopup Evolve(AutoTopup topup, PaymentEvent @event, Wallet wallet, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(topup);
        return @event switch
        {
            AutoTopupSet { IsOn: false } e => Off with
            {
                Threshold = e.Threshold,
                Price = e.Price,
                MaxPerDay = e.MaxPerDay,
                Provider = e.Provider,
                Recent = topup.Recent,
                Pending = topup.Pending,
            },
            AutoTopupSet e => (
                topup with
                {
                    IsOn = true,
                    Threshold = e.Threshold,
                    Price = e.Price,
                    MaxPerDay = e.MaxPerDay,
                    Provider = e.Provider,
                    IsArmed = true,
                    Failures = 0,
                    RetryAt = null,
                }
            ).Seeing(wallet, at),
            OrderOpened { IsAutomatic: true } e => topup with
            {
                IsArmed = false,
                Pending = e.Order,
                Recent = [.. topup.Recent.Where(ordered => ordered > at - Day), at],
            },

            // Whatever was paid there, also a purchase of its own that had failed before: the card works again.
            OrderPaid e when e.Order == topup.Pending || e.Provider == topup.Provider => topup with
            {
                Pending = e.Order == topup.Pending ? null : topup.Pending,
                Failures = 0,
                RetryAt = null,
            },
            OrderFailed e when e.Order == topup.Pending => topup.Failed(at),
            OrderExpired e when e.Order == topup.Pending => topup.Failed(at),
            _ => topup,
        };
    }

    /// <summary>What the wallet is now.</summary>
    public static AutoTopup Evolve(AutoTopup topup, Wallet wallet, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(topup);
        return topup.IsOn ? topup.Seeing(wallet, at) : topup;
    }

    private AutoTopup Failed(DateTimeOffset at) =>
        this with
        {
            Pending = null,
            IsArmed = true,
            Failures = Failures + 1,
            RetryAt = at + BackOff(Failures + 1),
        };

    private AutoTopup Seeing(Wallet wallet, DateTimeOffset at)
    {
        var isBelow = wallet.Available(Unit.Credits, at) <= Threshold;
        return isBelow == IsBelow && (isBelow || IsArmed) ? this : this with { IsBelow = isBelow, IsArmed = IsArmed || !isBelow };
    }
}

/// <summary>Says whether, and how, credits are bought when too few are left; nothing where it is so already.</summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="IsOn">Whether they are; what is said beside it is kept also where they are not.</param>
/// <param name="Threshold">At how many available credits or fewer.</param>
/// <param name="Price">For how much each time, in dollars: within the terms of buying as one goes; nothing where that is not said yet.</param>
/// <param name="MaxPerDay">How often in 24 hours at most, 1 to <see cref="AutoTopup.MostPerDay"/>.</param>
/// <param name="Provider">Who charges the card: something must have been paid there before.</param>
public sealed record SetAutoTopup(AccountId Account, Guid Id, bool IsOn, Amount Threshold, Amount Price, int MaxPerDay, string Provider)
    : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        var topup = account.AutoTopup;
        if (
            topup.IsOn == IsOn
            && topup.Threshold == Threshold
            && topup.Price == Price
            && topup.MaxPerDay == MaxPerDay
            && (topup.Provider == Provider || !IsOn)
        )
            return Accept();

        // What is only kept for later need not be possible now.
        var terms = context.Card.Document.Payg;
        if (IsOn && (Price < Amount.Usd(terms.MinAmountUsd) || Price > Amount.Usd(terms.MaxAmountUsd)))
            return Reject(RejectionCode.AmountOutOfRange);
        return IsOn && !account.Orders.HasPaidThrough(Provider)
            ? Reject(RejectionCode.NoPaymentMethod)
            : Accept(new AutoTopupSet(IsOn, Threshold, Price, MaxPerDay, Provider));
    }
}
