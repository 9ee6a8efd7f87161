using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>What an account's events say, in words, for the operator who reads its history.</summary>
public static class EventWords
{
    private static readonly JsonWriterOptions Lines = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>One event in a sentence.</summary>
    public static string Of(AccountEvent @event) =>
        @event switch
        {
            AccountOpened e => e.Country is { } country ? $"The account was opened, from {country}." : "The account was opened.",
            AccountSuspended e => $"The account was suspended: {e.Reason}",
            AccountReinstated e => $"The suspension ended: {e.Reason}",
            SignedOut => "Its holder signed out.",
            SignInsEnded e => $"Every sign-in was ended: {e.Reason}",

            CreditsGranted e =>
                $"{Show.Amount(e.Amount)} given, {Lower(SourceOf(e.Source))}{For(e.Scope)}{Until(e.ExpiresAt)}{Because(e.Reason)}",
            CreditsSpent e => $"{Show.Amount(e.Charged)} spent on {e.Tool}, {e.Units} units{By(e.Key.Value)}.",
            HoldPlaced e => $"{Show.Amount(e.Amount)} set aside for {WorkOf(e.Tool, e.Call?.Asked)}{By(e.Key.Value)}.",
            HoldExtended e => $"A hold lasts until {Show.Moment(e.ExpiresAt)}.",
            HoldSettled e => $"{Show.Amount(e.Charged)} spent on {WorkOf(e.Tool, e.Call)}{By(e.Key.Value)}{Owed(e.Debt)}.",
            HoldReleased => "A hold was given back unused.",
            HoldExpired => "A hold lapsed.",
            HoldSettledLate e =>
                $"{Show.Amount(e.Charged)} spent on {WorkOf(e.Tool, e.Call)}, after its hold had lapsed{By(e.Key.Value)}{Owed(e.Debt)}.",
            SpendReversed e => $"{Show.Amount(e.Amount)} given back that {e.Tool} had cost: {e.Reason}",
            PocketExpired e => $"{Show.Amount(e.Amount)} lapsed.",
            DebtRepaid e => $"{Show.Amount(e.Amount)} paid what was owed.",
            CreditsClawedBack e =>
                $"{Show.Amount(e.Amount)} taken back{(e.Dispute is null ? " after a refund" : " because the payment is disputed")}{Owed(e.Debt)}.",
            ClawbackReturned e => $"{Show.Amount(e.Amount)} came back: the dispute was won.",

            KeyCreated e => $"The key “{e.Name}” was made{(e.MintedBy is { } minter ? " by the key " + minter : "")}.",
            KeyChanged e => $"The key “{e.Name}” was {(e.Disabled ? "changed, and is paused" : "changed")}.",
            KeyRotated e => $"The key {e.Key} got a new secret; the one before works until {Show.Moment(e.PreviousUntil)}.",
            KeyRevoked e => $"The key {e.Key} was revoked{Because(e.Reason)}",

            SubscriptionStarted e => $"A subscription began: {e.Tier} for {Show.Amount(e.Price)} a month.",
            SubscriptionReset e => $"A period of the subscription began; it ends {Show.Moment(e.EndsAt)}.",
            SubscriptionChanged e => $"The subscription became {e.Tier} for {Show.Amount(e.Price)} a month.",
            SubscriptionChangeScheduled e => $"The subscription becomes {e.Tier} with the next period.",
            SubscriptionKept => "What was to happen to the subscription was called off.",
            SubscriptionEndScheduled e => $"The subscription ends {Show.Moment(e.EndsAt)}.",
            SubscriptionEnded e => $"The subscription ended: {e.Reason}",

            CustomerLinked e => $"{e.Provider} knows the account by a name of its own.",
            OrderOpened e => $"{OrderOf(e.Kind, e.Item)} ordered for {Show.Amount(e.Price)}{(e.IsAutomatic ? ", automatically" : "")}.",
            OrderSessionOpened => "A checkout was opened for an order.",
            OrderPaid e => $"{Show.Amount(e.Amount)} paid for an order.",
            OrderFailed e => $"A payment failed: {e.Reason}",
            OrderExpired => "An order lapsed unpaid.",
            OrderRefunded e => $"{Show.Amount(e.Refunded)} of a payment given back in all.",
            OrderDisputed e => $"A payment of {Show.Amount(e.Amount)} is disputed.",
            DisputeWon => "A dispute was won.",
            PaymentMismatched e => $"A payment came that does not match its order: {e.Reason}",
            AutoTopupSet e => e.IsOn
                ? $"Credits are bought for {Show.Amount(e.Price)} whenever {Show.Amount(e.Threshold)} or less are left."
                : "Credits are not bought automatically any more.",

            AlertsSet e => AlertsOf(e),
            BalanceLevelChanged e => $"The balance is {LevelOf(e.To)}: {Show.Amount(e.Available)} available.",
            ReferralApplied e => $"It was referred by {e.Referrer}.",
            ReferralRewarded e => $"It referred {e.Referred}, for {Show.Amount(e.Credits)}.",
            _ => throw new UnreachableException(),
        };

    /// <summary>Where funds came from.</summary>
    public static string SourceOf(PocketSource source) =>
        source switch
        {
            PocketSource.Subscription => "Subscription",
            PocketSource.Bonus => "Bonus",
            PocketSource.Payg => "Bought",
            PocketSource.Prepaid => "Prepaid",
            PocketSource.Pack => "Pack",
        };

    /// <summary>What an order buys.</summary>
    public static string OrderOf(OrderKind kind, string? item) =>
        kind switch
        {
            OrderKind.Payg => "Credits",
            OrderKind.Topup => "Dollars",
            OrderKind.Pack => "Pack " + item,
            OrderKind.Subscription => "Subscription " + item,
            OrderKind.Upgrade => "Upgrade to " + item,
        };

    /// <summary>Who did it, as events name them, in words.</summary>
    public static string ActorOf(string? actor) =>
        actor switch
        {
            null => "Unknown",
            "operator" => "Operator",
            "account" => "Holder, signed in",
            "system" => "Ledger itself",
            _ when actor.StartsWith("key:", StringComparison.Ordinal) => "Key " + actor["key:".Length..],
            _ => actor,
        };

    /// <summary>JSON with a line for every member; as it is where it is none.</summary>
    public static string Indent(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            using var text = new MemoryStream();
            using (var writer = new Utf8JsonWriter(text, Lines))
                document.RootElement.WriteTo(writer);
            return System.Text.Encoding.UTF8.GetString(text.ToArray());
        }
        catch (JsonException)
        {
            return json;
        }
    }

    private static string WorkOf(string tool, CallRecord? call) =>
        call is null ? tool : $"{call.Provider}/{call.Model}, {Show.Count(call.Tokens.Total, "token", "tokens")}";

    private static string WorkOf(string tool, string? model) => model ?? tool;

    private static string By(string? key) => string.IsNullOrEmpty(key) ? "" : ", by the key " + key;

    private static string For(string? scope) => scope is null ? "" : ", for " + scope + " only";

    private static string Until(DateTimeOffset? at) => at is { } end ? ", lapses " + Show.Moment(end) : "";

    private static string Because(string? reason) => string.IsNullOrEmpty(reason) ? "." : ": " + reason;

    private static string Owed(Amount? debt) => debt is { IsPositive: true } owed ? $"; {Show.Amount(owed)} of it is owed" : "";

    private static string Lower(string word) => char.ToLowerInvariant(word[0]) + word[1..];

    private static string AlertsOf(AlertsSet alerts) =>
        (alerts.Warning, alerts.Critical) switch
        {
            (null, null) => "Nobody is warned of a low balance any more.",
            ({ } warning, null) => $"A warning is wanted at {Show.Amount(warning)}.",
            (null, { } critical) => $"An urgent warning is wanted at {Show.Amount(critical)}.",
            ({ } warning, { } critical) => $"A warning is wanted at {Show.Amount(warning)}, an urgent one at {Show.Amount(critical)}.",
        };

    private static string LevelOf(BalanceLevel level) =>
        level switch
        {
            BalanceLevel.Ok => "fine again",
            BalanceLevel.Warning => "low",
            BalanceLevel.Critical => "almost used up",
        };
}
