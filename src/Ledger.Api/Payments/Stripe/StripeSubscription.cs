using System.Text.Json;

namespace Ledger.Api.Payments.Stripe;

/// <summary>What Stripe's subscriptions say.</summary>
internal static class StripeSubscription
{
    /// <summary>Whether it is not billed any more.</summary>
    public static bool IsOver(JsonElement subscription) => subscription.Get("status").AsText is "canceled" or "incomplete_expired";

    /// <summary>
    /// Whether it ends with the period under way: it says so, or it ends at a time by which that period is over. Whoever sets a later end is told of it
    /// when it comes.
    /// </summary>
    public static bool EndsWithPeriod(JsonElement subscription)
    {
        if (subscription.Get("cancel_at_period_end").ValueKind == JsonValueKind.True)
            return true;
        if (subscription.Get("cancel_at").AsWhole is not { } end)
            return false;

        // Moved from the subscription to its items in 2025-03-31.
        var period =
            subscription.Get("current_period_end").AsWhole
            ?? subscription.Get("items").Items.Select(item => item.Get("current_period_end").AsWhole).FirstOrDefault();
        return period is null || end <= period;
    }
}
