using System.Globalization;
using Ledger.Api.Access;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Http;
using Ledger.Domain.Money;

namespace Ledger.Api.Gateway.Calls;

/// <summary>What inference answers say beside their bodies.</summary>
internal static class CallHeaders
{
    /// <summary>How much of the key's bucket is left.</summary>
    public static void SetBucket(HttpContext context, Protocol protocol, in KeyPassage passage, DateTimeOffset now)
    {
        var headers = context.Response.Headers;
        var stem = protocol == Protocol.Anthropic ? "anthropic-ratelimit-requests-" : "x-ratelimit-";
        var end = protocol == Protocol.Anthropic ? "" : "-requests";
        headers[$"{stem}limit{end}"] = passage.Limit.ToString(CultureInfo.InvariantCulture);
        headers[$"{stem}remaining{end}"] = passage.Remaining.ToString(CultureInfo.InvariantCulture);

        // Each as its own clients read it: a time, or a duration.
        headers[$"{stem}reset{end}"] =
            protocol == Protocol.Anthropic
                ? WireTime.Format(now.AddSeconds(Math.Ceiling(passage.Reset.TotalSeconds)))
                : Math.Ceiling(passage.Reset.TotalSeconds).ToString(CultureInfo.InvariantCulture) + "s";
    }

    /// <summary>Which charge a call will be, as soon as its hold is placed.</summary>
    public static void SetHold(HttpContext context, LiveCall call)
    {
        context.Response.Headers["x-ledger-spend-id"] = call.Spend.ToString();
        context.Response.Headers["x-ledger-hold"] = call.Id.ToString();
    }

    /// <summary>What a call was charged, and what is left where that came from.</summary>
    public static void SetCharge(HttpContext context, CallCharge charge)
    {
        var headers = context.Response.Headers;
        headers["x-ledger-spend-id"] = charge.Spend.ToString();
        headers["x-ledger-cost"] = charge.Charged.ToDecimalString();
        headers["x-ledger-unit"] = charge.Charged.Unit.Name();
        headers["x-ledger-balance"] = BalanceOf(charge).ToDecimalString();
        if (charge.OfQuota)
            headers["x-ledger-quota-remaining"] = charge.Account.Subscription.QuotaLeft(charge.At).ToString(CultureInfo.InvariantCulture);
    }

    private static Amount BalanceOf(CallCharge charge)
    {
        var account = charge.Account.LapsedAt(charge.At);
        return charge.Scope is { } scope
            ? account.Wallet.AvailableInPacks(scope, charge.At)
            : account.Wallet.Available(charge.Charged.Unit, charge.At);
    }
}
