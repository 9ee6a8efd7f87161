using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections;

namespace Ledger.Api.Audit;

/// <summary>Makes receipts: gathers the events that a spend follows from, and proves each by the checkpoint that covers it.</summary>
/// <param name="log">The log.</param>
/// <param name="checkpoints">Its checkpoints.</param>
/// <param name="keys">The keys that sign them.</param>
internal sealed class ReceiptDesk(IEventLog log, LogCheckpoints checkpoints, CheckpointKeyRing keys)
{
    /// <summary>The receipt of a spend; null where the account has none of that id.</summary>
    /// <exception cref="InvalidDataException">The log is not what a checkpoint says, or not what it must be.</exception>
    public async Task<Receipt?> FindAsync(Account account, Guid spend, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(account);
        var stream = account.Id.StreamId;
        if (await log.FindAsync([(stream, spend)], ct) is not [var stored, ..])
            return null;
        var @event = LedgerEvents.Types.Read(stored);
        if (@event is not (CreditsSpent or HoldSettled or HoldSettledLate))
            return null;
        var spent = ReceiptStory.Spent.Of(@event);
        var roles = new Dictionary<Guid, string>();
        if (spent.Hold is { } hold)
            roles.Add(hold.Value, "hold");
        foreach (var share in spent.Paid)
        {
            roles.Add(account.Wallet.Pocket(share.Pocket).OpenedBy, "grant");
            if (account.Orders.All.Values.FirstOrDefault(order => order.Pocket == share.Pocket) is not { Payment: { } payment } order)
                continue;
            roles.Add(EventIds.OrderOpening(account.Id, order.Id), "order");
            roles.Add(EventIds.Payment(account.Id, order.Provider, payment), "payment");
        }

        roles.Add(EventIds.Reversal(account.Id, new(spend)), "reversal");
        var cards = await log.ReadStreamAsync(RateBook.StreamId, spent.Card - 1, 1, ct);
        var found = await log.FindAsync([.. roles.Keys.Select(id => (stream, id))], ct);
        var proven = new Dictionary<long, SignedCheckpoint>();
        var evidence = new List<ReceiptEvidence>();
        foreach (
            var (role, one) in ((string, StoredEvent)[])
                [
                    ("spend", stored),
                    .. cards.Select(card => ("rate_card", card)),
                    .. found.OrderBy(other => other.Version).Select(other => (roles[other.Id], other)),
                ]
        )
            evidence.Add(new(role, EventOf(one), await ProveAsync(one, proven, ct)));
        var signers = proven.Values.Select(signed => signed.Checkpoint.KeyId).ToHashSet(StringComparer.Ordinal);
        return new(
            account.Id,
            spend,
            evidence,
            [.. proven.Values.OrderBy(signed => signed.Checkpoint.Number)],
            [.. (await keys.ListAsync(ct)).Where(key => signers.Contains(key.Id))]
        );
    }

    private async Task<ReceiptProof?> ProveAsync(StoredEvent stored, Dictionary<long, SignedCheckpoint> proven, CancellationToken ct)
    {
        var signed =
            proven.Values.FirstOrDefault(known => known.Checkpoint.IndexOf(stored.Position) is not null)
            ?? await checkpoints.CoveringAsync(stored.Position, ct);
        if (signed is null)
            return null;
        var (index, path) = await checkpoints.ProveAsync(signed, stored.Position, ct);
        proven.TryAdd(signed.Checkpoint.Number, signed);
        return new(signed.Checkpoint.Number, index, path);
    }

    private static ReceiptEvent EventOf(StoredEvent stored)
    {
        var previous =
            HashChain.FromHeaders(stored.Headers, "prev")
            ?? throw new InvalidDataException($"{stored.StreamId} version {stored.Version} does not name the event before it.");
        var made = new ReceiptEvent(stored, previous);
        return made.Hash().AsSpan().SequenceEqual(stored.ReadHash())
            ? made
            : throw new InvalidDataException($"{stored.StreamId} version {stored.Version} is not what was hashed.");
    }
}
