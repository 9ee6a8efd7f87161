using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Projections.Audit;

namespace Ledger.Projections.Rebuild;

/// <summary>Something that an event names, that must stand in its stream before it, and that no state holds any more.</summary>
/// <param name="Id">The id of the event that is meant.</param>
/// <param name="Types">Which types it may be of.</param>
/// <param name="What">What it is, in a word.</param>
internal readonly record struct EarlierEvent(Guid Id, string[] Types, string What);

/// <summary>Whether what events name exists: keys, pockets, holds, orders, entries of rate cards. Not safe for concurrent use.</summary>
/// <param name="book">The price list.</param>
/// <param name="missing">Told what does not: what it is, and its name.</param>
internal sealed class EventNames(RateBook book, Action<string, string> missing)
{
    private static readonly string[] Charges =
    [
        LedgerEvents.Types.NameOf<CreditsSpent>(),
        LedgerEvents.Types.NameOf<HoldSettled>(),
        LedgerEvents.Types.NameOf<HoldSettledLate>(),
    ];

    private static readonly string[] Holds = [LedgerEvents.Types.NameOf<HoldPlaced>()];

    private const int MostKnown = 16;

    private readonly Dictionary<(long Card, string Entry), bool> _entries = [];
    private readonly List<(long Card, string Entry)> _known = [];

    /// <summary>Looks at what an event names.</summary>
    /// <param name="account">The state before it.</param>
    /// <param name="event">The event.</param>
    /// <returns>What must be looked up besides; null where nothing must.</returns>
    public EarlierEvent? Check(Account account, AccountEvent @event)
    {
        switch (@event)
        {
            case CreditsGranted e:
                Must(e.Pocket == account.Wallet.NextPocket, "pocket", e.Pocket);
                break;
            case CreditsSpent e:
                Key(e.Key);
                Card(e.Card, e.Entry);
                Pockets(e.Paid);
                break;
            case HoldPlaced e:
                Key(e.Key);
                Card(e.Card, e.Entry);
                Pockets(e.Allocated);
                break;
            case HoldExtended e:
                OpenHold(e.Hold);
                break;
            case HoldSettled e:
                OpenHold(e.Hold);
                Key(e.Key);
                Card(e.Card, e.Entry);
                Pockets(e.FromHold);
                Pockets(e.FromAvailable);
                break;
            case HoldReleased e:
                OpenHold(e.Hold);
                break;
            case HoldExpired e:
                OpenHold(e.Hold);
                break;
            case HoldSettledLate e:
                Key(e.Key);
                Card(e.Card, e.Entry);
                Pockets(e.Paid);
                return new(e.Hold.Value, Holds, "hold");
            case SpendReversed e:
                Pockets(e.Returned);
                return new(e.Spend.Value, Charges, "spend");
            case PocketExpired e:
                Pocket(e.Pocket);
                break;
            case DebtRepaid e:
                Pocket(e.Pocket);
                break;
            case CreditsClawedBack e:
                Order(e.Order);
                Pockets(e.Taken);
                break;
            case ClawbackReturned e:
                Order(e.Order);
                Pockets(e.Returned);
                break;
            case OrderOpened e:
                Must(book.Find(e.Card) is not null, "rate card version", e.Card);
                break;
            case OrderSessionOpened e:
                Order(e.Order);
                break;
            case OrderPaid e:
                Order(e.Order);
                break;
            case OrderFailed e:
                Order(e.Order);
                break;
            case OrderExpired e:
                Order(e.Order);
                break;
            case OrderRefunded e:
                Order(e.Order);
                break;
            case OrderDisputed e:
                Order(e.Order);
                break;
            case DisputeWon e:
                Order(e.Order);
                break;
            case SubscriptionStarted e:
                Card(e.Card, "tiers/" + e.Tier);
                break;
            case SubscriptionChanged e:
                Card(e.Card, "tiers/" + e.Tier);
                break;
            case SubscriptionChangeScheduled e:
                Card(e.Card, "tiers/" + e.Tier);
                break;
            case ReferralApplied e:
                Must(book.Find(e.Card) is not null, "rate card version", e.Card);
                break;
            case KeyCreated { MintedBy: { } minter }:
                Key(minter);
                break;
            case KeyChanged e:
                Key(e.Key);
                break;
            case KeyRotated e:
                Key(e.Key);
                break;
            case KeyRevoked e:
                Key(e.Key);
                break;
        }

        return null;

        void Key(KeyId key) => Must(key == default || account.Keys.Find(key) is not null, "key", key);

        void Order(OrderId order) => Must(account.Orders.Find(order) is not null, "order", order);

        void OpenHold(HoldId hold) => Must(account.Wallet.Holds.ContainsKey(hold), "open hold", hold);

        void Pocket(PocketId pocket) => Must(pocket.Number >= 1 && pocket.Number < account.Wallet.NextPocket.Number, "pocket", pocket);

        void Pockets(ImmutableArray<PocketShare> shares)
        {
            foreach (var share in shares)
                Pocket(share.Pocket);
        }
    }

    private void Card(long version, string entry)
    {
        // Names that come again and again are made once: it takes no look at what they say.
        foreach (var (card, known) in CollectionsMarshal.AsSpan(_known))
        {
            if (ReferenceEquals(known, entry) && card == version)
                return;
        }

        if (!_entries.TryGetValue((version, entry), out var exists))
            _entries[(version, entry)] = exists = book.Find(version) is { } found && RateCardEntries.Has(found, entry);
        if (exists)
        {
            if (_known.Count == MostKnown)
                _known.Clear();
            _known.Add((version, entry));
            return;
        }

        if (book.Find(version) is null)
            Must(false, "rate card version", version);
        else
            Must(false, "entry of its rate card", entry);
    }

    private void Must<T>(bool exists, string what, T name)
        where T : notnull
    {
        if (!exists)
            missing(what, FormattableString.Invariant($"{name}"));
    }
}
