using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>Where a pocket's funds came from. The order is the drain order where expiry does not decide.</summary>
public enum PocketSource
{
    /// <summary>A subscription's period grant.</summary>
    Subscription,

    /// <summary>Given for nothing: welcome, referral, goodwill.</summary>
    Bonus,

    /// <summary>Bought as one goes.</summary>
    Payg,

    /// <summary>Paid in ahead, in dollars.</summary>
    Prepaid,

    /// <summary>A pack for one provider/model.</summary>
    Pack,
}

/// <summary>Funds of one source, with an expiry and a rank.</summary>
/// <param name="Id">Its number in the wallet.</param>
/// <param name="Unit">What it holds.</param>
/// <param name="Source">Where its funds came from.</param>
/// <param name="Scope">The one provider/model they may be spent on; null for any.</param>
/// <param name="Granted">What it was opened with, in parts.</param>
/// <param name="Remaining">What is posted in it, in parts.</param>
/// <param name="Held">What of that is held, in parts.</param>
/// <param name="ExpiresAt">When what is free lapses; null for never.</param>
/// <param name="OpenedAt">When it was opened.</param>
/// <param name="OpenedBy">The event that opened it.</param>
public sealed record Pocket(
    PocketId Id,
    Unit Unit,
    PocketSource Source,
    string? Scope,
    long Granted,
    long Remaining,
    long Held,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset OpenedAt,
    Guid OpenedBy
)
{
    /// <summary>What is neither spent nor held, in parts, whether lapsed or not.</summary>
    public long Free => Remaining - Held;

    /// <summary>Whether its free part has lapsed.</summary>
    public bool LapsedAt(DateTimeOffset now) => ExpiresAt <= now;

    /// <summary>
    /// The order in which pockets pay: scoped packs first, then soonest expiry (never is last), then subscription before bonus before
    /// bought, then oldest. Total, since numbers differ.
    /// </summary>
    public static int CompareDrainOrder(Pocket left, Pocket right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        var order = (left.Scope is null).CompareTo(right.Scope is null);
        if (order == 0)
            order = (left.ExpiresAt ?? DateTimeOffset.MaxValue).CompareTo(right.ExpiresAt ?? DateTimeOffset.MaxValue);
        if (order == 0)
            order = left.Source.CompareTo(right.Source);
        if (order == 0)
            order = left.OpenedAt.CompareTo(right.OpenedAt);
        if (order == 0)
            order = left.Id.Number.CompareTo(right.Id.Number);
        return order;
    }
}
