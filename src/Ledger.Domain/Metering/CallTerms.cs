namespace Ledger.Domain.Metering;

/// <summary>Tokens that count against a subscription's quota, in the window in which their hold was placed.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Window">The window of 24 hours, counted from the subscription's anchor.</param>
/// <param name="Tokens">How many.</param>
public sealed record QuotaShare(SubscriptionId Subscription, long Window, long Tokens);

/// <summary>For what call funds were set aside: the bounds of its worst case, and what pays.</summary>
/// <param name="Asked">The model's name as the caller gave it.</param>
/// <param name="Input">Input tokens as they were counted beforehand.</param>
/// <param name="MaxOutput">The most output tokens that it may come to, per choice.</param>
/// <param name="Scope">The provider/model whose packs pay; null where something else does.</param>
/// <param name="Quota">What of the subscription's quota is set aside; null where something else pays.</param>
/// <param name="Digest">A digest of what was asked, where the caller named the request; null else.</param>
public sealed record CallTerms(string Asked, long Input, long MaxOutput, string? Scope, QuotaShare? Quota, string? Digest);

/// <summary>What a call came to: the metering record of its charge.</summary>
/// <param name="Provider">Who served it.</param>
/// <param name="Model">With which model, as the rate card names it.</param>
/// <param name="Tokens">What it used, by class.</param>
/// <param name="Estimated">Whether that was counted here, since the provider reported nothing.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="LatencyMs">How long it took, in milliseconds.</param>
/// <param name="FirstByteMs">How long until the provider's first byte, in milliseconds; null where that is not known.</param>
/// <param name="Usage">
/// The provider's own report, byte for byte; where it took several to say what was used, a JSON array of them in the order in which they came. Null where there was
/// none. Older calls have the last of them alone.
/// </param>
/// <param name="Quota">What of the subscription's quota it used; null where something else paid.</param>
/// <param name="UsageCut">True where <paramref name="Usage"/> is only the beginning of what was reported; null else.</param>
public sealed record CallRecord(
    string Provider,
    string Model,
    TokenUse Tokens,
    bool Estimated,
    CallOutcome Outcome,
    long LatencyMs,
    long? FirstByteMs,
    string? Usage,
    QuotaShare? Quota = null,
    bool? UsageCut = null
);

/// <summary>What of a subscription's quota is used.</summary>
/// <param name="Window">The window that the other two count; never falls.</param>
/// <param name="Used">Tokens charged in it.</param>
/// <param name="Held">Tokens set aside in it.</param>
public readonly record struct QuotaUse(long Window, long Used, long Held)
{
    /// <summary>After more, or less, in a window: an earlier one no longer counts, a later one counts anew.</summary>
    public QuotaUse Plus(long window, long used, long held) =>
        window > Window ? new(window, Math.Max(0, used), Math.Max(0, held))
        : window < Window ? this
        : new(Window, Math.Max(0, Used + used), Math.Max(0, Held + held));
}
