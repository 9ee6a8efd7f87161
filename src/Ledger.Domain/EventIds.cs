using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Domain;

/// <summary>
/// Derived event ids. The id of the event that answers a command is a hash of what must happen only once, so that the log's unique index
/// on (stream, id) makes idempotency an invariant with no second table.
/// </summary>
public static class EventIds
{
    /// <summary>The id shared by a spend and a hold: one use of a reference for a tool.</summary>
    public static Guid Use(AccountId account, string tool, string reference) => Derive(account, "use", tool, reference);

    /// <summary>The id of a grant: one line of one payment.</summary>
    public static Guid Grant(AccountId account, string provider, string payment, int line = 0) =>
        Derive(account, "grant", provider, payment, line.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>The id of the one end of a hold: settled, released or expired.</summary>
    public static Guid HoldEnd(AccountId account, HoldId hold) => Derive(account, "hold-end", hold.ToString());

    /// <summary>The id of the one late settlement that may follow an expired hold.</summary>
    public static Guid LateSettlement(AccountId account, HoldId hold) => Derive(account, "hold-late", hold.ToString());

    /// <summary>The id of the one reversal of a spend.</summary>
    public static Guid Reversal(AccountId account, SpendId spend) => Derive(account, "reversal", spend.ToString());

    /// <summary>The id of an account's opening.</summary>
    public static Guid Opening(AccountId account) => Derive(account, "opening");

    /// <summary>The id of a key's creation.</summary>
    public static Guid KeyCreation(AccountId account, KeyId key) => Derive(account, "key-creation", key.Value);

    /// <summary>The id of a key's revocation.</summary>
    public static Guid KeyRevocation(AccountId account, KeyId key) => Derive(account, "key-revocation", key.Value);

    /// <summary>The id of the end of one sign-in.</summary>
    public static Guid SignOut(AccountId account, Guid signIn) => Derive(account, "sign-out", signIn.ToString());

    /// <summary>The id of an account's one word on who brought it.</summary>
    public static Guid ReferralApplication(AccountId account) => Derive(account, "referral");

    /// <summary>The id of a referrer's bonus for one account.</summary>
    public static Guid ReferralReward(AccountId account, AccountId referred) => Derive(account, "referral-reward", referred.Value);

    /// <summary>The id of an order's opening.</summary>
    public static Guid OrderOpening(AccountId account, OrderId order) => Derive(account, "order", order.Value);

    /// <summary>The order that goes with a payment for which nobody ordered: the same payment is always the same order.</summary>
    public static OrderId OrderOf(AccountId account, string provider, string payment) =>
        new(Derive(account, "order-of", provider, payment).ToString("N")[16..]);

    /// <summary>The order that a command makes the ledger open by itself.</summary>
    public static OrderId AutomaticOrder(AccountId account, Guid command, long version) =>
        new(
            Derive(account, "order-auto", command.ToString(), version.ToString(System.Globalization.CultureInfo.InvariantCulture))
                .ToString("N")[16..]
        );

    /// <summary>The id under which an order's page is known.</summary>
    public static Guid OrderSession(AccountId account, OrderId order, string session) =>
        Derive(account, "order-session", order.Value, session);

    /// <summary>The id of an order's lapse.</summary>
    public static Guid OrderExpiry(AccountId account, OrderId order) => Derive(account, "order-expiry", order.Value);

    /// <summary>The id of a payment: it counts once, for one order.</summary>
    public static Guid Payment(AccountId account, string provider, string payment) => Derive(account, "payment", provider, payment, "0");

    /// <summary>The id of a payment that is not what an order asks for.</summary>
    public static Guid PaymentMismatch(AccountId account, OrderId order, string provider, string payment) =>
        Derive(account, "payment-mismatch", order.Value, provider, payment);

    /// <summary>The id of a refund: of so much of an order in all.</summary>
    public static Guid Refund(AccountId account, OrderId order, Money.Amount refunded) =>
        Derive(account, "refund", order.Value, refunded.Parts.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>The id of a dispute's beginning.</summary>
    public static Guid Dispute(AccountId account, OrderId order, string dispute) => Derive(account, "dispute", order.Value, dispute);

    /// <summary>The id of a dispute's end in our favour.</summary>
    public static Guid DisputeWin(AccountId account, OrderId order, string dispute) => Derive(account, "dispute-won", order.Value, dispute);

    /// <summary>The id by which a payment provider knows an account.</summary>
    public static Guid Customer(AccountId account, string provider, string customer) => Derive(account, "customer", provider, customer);

    /// <summary>The id of a subscription, from what its provider calls it.</summary>
    public static Guid Subscription(AccountId account, string provider, string reference) =>
        Derive(account, "subscription", provider, reference);

    /// <summary>The id of a subscription's reset: its index, whoever triggers it.</summary>
    public static Guid Reset(AccountId account, SubscriptionId subscription, long period) =>
        Derive(account, "reset", subscription.ToString(), period.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>The id of a subscription's end.</summary>
    public static Guid SubscriptionEnd(AccountId account, SubscriptionId subscription) =>
        Derive(account, "subscription-end", subscription.ToString());

    /// <summary>The id of a call's hold: of the route and the caller's, or our own, name for it.</summary>
    public static Guid Call(AccountId account, string route, string reference) => Derive(account, "call", route, reference);

    /// <summary>The id of a command that has no identity of its own, from the caller's request.</summary>
    public static Guid Request(AccountId account, string request) => Derive(account, "request", request);

    /// <summary>
    /// The id of one event: derived from what it says where that may happen only once, else from its command and its place in the stream.
    /// A place within the command would not do: what is due comes with any command, also with one that was given before.
    /// </summary>
    /// <param name="account">Whose stream it is in.</param>
    /// <param name="event">What happened.</param>
    /// <param name="command">The command's id.</param>
    /// <param name="version">The event's place in the stream, from 1.</param>
    public static Guid For(AccountId account, AccountEvent @event, Guid command, long version) =>
        @event switch
        {
            CreditsSpent or HoldPlaced or AccountSuspended or AccountReinstated or SignInsEnded or KeyChanged or KeyRotated => command,
            AlertsSet or AutoTopupSet or OrderFailed => command,
            CreditsGranted e => Grant(account, e.Provider, e.Reference),
            HoldSettled e => HoldEnd(account, e.Hold),
            HoldReleased e => HoldEnd(account, e.Hold),
            HoldExpired e => HoldEnd(account, e.Hold),
            HoldSettledLate e => LateSettlement(account, e.Hold),
            SpendReversed e => Reversal(account, e.Spend),
            AccountOpened => Opening(account),
            KeyCreated e => KeyCreation(account, e.Key),
            KeyRevoked e => KeyRevocation(account, e.Key),
            SignedOut e => SignOut(account, e.SignIn),
            ReferralApplied => ReferralApplication(account),
            ReferralRewarded e => ReferralReward(account, e.Referred),
            CustomerLinked e => Customer(account, e.Provider, e.Customer),
            OrderOpened e => OrderOpening(account, e.Order),
            OrderSessionOpened e => OrderSession(account, e.Order, e.Session),
            OrderPaid e => Payment(account, e.Provider, e.Payment),
            OrderExpired e => OrderExpiry(account, e.Order),
            OrderRefunded e => Refund(account, e.Order, e.Refunded),
            OrderDisputed e => Dispute(account, e.Order, e.Dispute),
            DisputeWon e => DisputeWin(account, e.Order, e.Dispute),
            PaymentMismatched e => PaymentMismatch(account, e.Order, e.Provider, e.Payment),
            SubscriptionStarted e => e.Subscription.Value,
            SubscriptionReset e => Reset(account, e.Subscription, e.Period),
            SubscriptionEnded e => SubscriptionEnd(account, e.Subscription),
            _ => Part(account, command, version),
        };

    /// <summary>The id of an event that has no identity of its own, of its command and its place in the stream.</summary>
    public static Guid Part(AccountId account, Guid command, long version) =>
        Derive(account, "part", command.ToString(), version.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>
    /// SHA-256 over the length-prefixed kind, scope and parts, as a version 8 UUID (RFC 9562) whose first 48 bits come from the account,
    /// so that one account's ids lie together in an index.
    /// </summary>
    public static Guid Derive(AccountId account, string kind, params ReadOnlySpan<string> parts)
    {
        var size = 4 + Encoding.UTF8.GetByteCount(kind) + 4 + Encoding.UTF8.GetByteCount(account.Value);
        foreach (var part in parts)
            size += 4 + Encoding.UTF8.GetByteCount(part);

        Span<byte> input = size <= 1024 ? stackalloc byte[size] : new byte[size];
        var rest = Append(Append(input, kind), account.Value);
        foreach (var part in parts)
            rest = Append(rest, part);

        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(input, hash);

        // Locality only, hence a cheap hash (FNV-1a): uniqueness comes from the 74 bits of SHA-256 behind it.
        var scope = 14695981039346656037UL;
        foreach (var c in account.Value)
            scope = unchecked((scope ^ c) * 1099511628211UL);

        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(id, scope);
        hash[..10].CopyTo(id[6..]);
        id[6] = (byte)((id[6] & 0x0F) | 0x80);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new(id, bigEndian: true);

        static Span<byte> Append(Span<byte> to, string text)
        {
            var written = Encoding.UTF8.GetBytes(text, to[4..]);
            BinaryPrimitives.WriteInt32BigEndian(to, written);
            return to[(4 + written)..];
        }
    }
}
