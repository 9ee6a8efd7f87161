using System.Collections.Immutable;
using Ledger.Domain.Accounts;

namespace Ledger.Domain.Wallets;

/// <summary>Gives a hold back unused; the same again is a repeat.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Key">Who asks; null where the server itself does, which no revoked key and no suspension stops.</param>
/// <param name="Hold">The hold.</param>
public sealed record ReleaseHold(AccountId Account, KeyId? Key, HoldId Hold) : AccountCommand(Account, EventIds.HoldEnd(Account, Hold))
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls => [Id, Hold.Value];

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldReleased;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if ((By ?? (Key is { } key ? new Credential(key) : null)) is { } by && account.RefusesWork(by, context.Now) is { } refusal)
            return Reject(refusal);

        // A call's hold ends with the call, and only the gateway that carries it knows when.
        if (Key is not null && Wallets.Hold.IsOfCall(account, Hold, context.Past))
            return Reject(RejectionCode.HoldNotFound);
        if (context.Past.Find(Id) is { } end)
        {
            return end.Event switch
            {
                HoldReleased => Repeat(end),
                HoldSettled => Reject(RejectionCode.HoldAlreadySettled),
                _ => Reject(RejectionCode.HoldAlreadyExpired),
            };
        }

        if (!account.Wallet.Holds.TryGetValue(Hold, out var open))
            return Reject(
                context.Past.Find(Hold.Value) is { Event: HoldPlaced } ? RejectionCode.HoldAlreadyExpired : RejectionCode.HoldNotFound
            );

        return Accept([new HoldReleased(Hold), .. account.Wallet.AfterReturn(open.Allocated, 0, context.Now)]);
    }
}
