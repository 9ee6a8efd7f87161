using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Referrals;

/// <summary>What has happened between an account and those that it brought, or that brought it. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record ReferralEvent : AccountEvent
{
    private protected ReferralEvent() { }
}

/// <summary>The account said who had brought it. Its own bonus is granted with this; the referrer's is carried to the referrer's stream.</summary>
/// <param name="Referrer">Who had brought it.</param>
/// <param name="ReferrerCredits">What the referrer gets for it, by the rate card then in force.</param>
/// <param name="Card">The version of that rate card.</param>
public sealed record ReferralApplied(AccountId Referrer, Amount ReferrerCredits, long Card) : ReferralEvent;

/// <summary>The account got its bonus for one that it had brought.</summary>
/// <param name="Referred">Whom it had brought.</param>
/// <param name="Credits">The bonus.</param>
public sealed record ReferralRewarded(AccountId Referred, Amount Credits) : ReferralEvent;

/// <summary>Who brought an account, and whom it brought.</summary>
/// <param name="ReferredBy">Who brought it; null where nobody did.</param>
/// <param name="Referred">How many it brought.</param>
/// <param name="Earned">What it got for them, in parts of a credit.</param>
public sealed record Referral(AccountId? ReferredBy, long Referred, long Earned)
{
    /// <summary>Nobody.</summary>
    public static Referral Empty { get; } = new(null, 0, 0);

    /// <summary>The name under which bonuses are granted.</summary>
    public const string Provider = "referral";

    /// <summary>
    /// The code by which others say that an account brought them: 16 hexadecimal digits that follow from its id, and from which the id cannot be had.
    /// </summary>
    public static string CodeOf(AccountId account) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("referral:" + account.Value)).AsSpan(0, 8));

    /// <summary>The state after one more event.</summary>
    public static Referral Evolve(Referral referral, ReferralEvent @event)
    {
        ArgumentNullException.ThrowIfNull(referral);
        return @event switch
        {
            ReferralApplied e => referral with { ReferredBy = e.Referrer },
            ReferralRewarded e => referral with { Referred = referral.Referred + 1, Earned = referral.Earned + e.Credits.Parts },
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }
}
