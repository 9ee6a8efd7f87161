using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Metering;

/// <summary>
/// Turns a call's hold into its charge: what it used, at the rate card that the hold was placed under, at the entry of the model that served, or the
/// pack's. It comes from the server itself, so neither a revoked key nor a suspension stops what was already delivered from being charged.
/// </summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Hold">The hold.</param>
/// <param name="Call">What the call came to.</param>
/// <param name="Successor">The id of the hold that the same request would be placed under once more; null where it has no name.</param>
public sealed record SettleCall(AccountId Account, HoldId Hold, CallRecord Call, Guid? Successor = null)
    : AccountCommand(Account, EventIds.HoldEnd(Account, Hold))
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls =>
        Successor is { } next
            ? [Id, EventIds.LateSettlement(Account, Hold), Hold.Value, next]
            : [Id, EventIds.LateSettlement(Account, Hold), Hold.Value];

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldSettled or HoldSettledLate;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(EventIds.LateSettlement(Account, Hold)) is { } late)
            return late.Event is HoldSettledLate { Call: { } done } && IsSame(done)
                ? Repeat(late)
                : Reject(RejectionCode.ReferenceConflict);
        if (context.Past.Find(Id) is { } end)
        {
            switch (end.Event)
            {
                case HoldSettled { Call: { } done }:
                    return IsSame(done) ? Repeat(end) : Reject(RejectionCode.ReferenceConflict);
                case HoldReleased:
                    return Reject(RejectionCode.HoldAlreadyReleased);
            }
        }

        if (!Call.Tokens.IsInRange)
            return Reject(RejectionCode.AmountOutOfRange);

        // Work of a tool has a price per unit, and is not settled as a call.
        if (account.Wallet.Holds.TryGetValue(Hold, out var open) && open.Call is not null)
            return Price(open, context) is { } settlement && account.Wallet.CanCount(settlement.Cost)
                ? Accept(settlement.Of(account.Wallet, context.Now))
                : Reject(RejectionCode.AmountOutOfRange);

        // Neither open nor ended by anything but time. Whoever asked for the same once more is served, and charged, by that.
        if (context.Past.Find(Hold.Value) is not { Event: HoldPlaced { Call: not null } placed } fact)
            return Reject(RejectionCode.HoldNotFound);
        if (Successor is { } next && context.Past.Find(next) is { Event: HoldPlaced })
            return Reject(RejectionCode.HoldAlreadyExpired);
        return Price(Wallets.Hold.From(fact, placed), context) is { } expired && account.Wallet.CanCount(expired.Cost)
            ? Accept(expired.Late(account.Wallet, context.Now))
            : Reject(RejectionCode.AmountOutOfRange);
    }

    private bool IsSame(CallRecord done) => done.Tokens == Call.Tokens && done.Provider == Call.Provider && done.Model == Call.Model;

    private Settlement? Price(Hold hold, in DecisionContext context)
    {
        var terms = hold.Call!;
        var units = Quantity.Of(Math.Min(Call.Tokens.Total, Quantity.MaxWhole));
        if (terms.Quota is { } share)
            return new(
                hold,
                units,
                Amount.Zero(hold.Amount.Unit),
                hold.Entry,
                Call with
                {
                    Quota = share with { Tokens = Call.Tokens.Total },
                }
            );

        var card = context.CardOf(hold.Card);
        if (terms.Scope is not null)
        {
            var pack =
                card.FindPack(hold.Entry["packs/".Length..])
                ?? throw new InvalidDataException($"Rate card {card.Version} has no entry {hold.Entry}.");
            return TokenCharge.Credits(Call.Tokens, pack.CreditsPer1m) is { } credits ? new(hold, units, credits, hold.Entry, Call) : null;
        }

        var model =
            card.Models.Find(Call.Provider + "/" + Call.Model)
            ?? throw new InvalidDataException($"Rate card {card.Version} has no model {Call.Provider}/{Call.Model}.");
        return TokenCharge.Usd(Call.Tokens, model.UsdPer1m) is { } dollars
            ? new(hold, units, dollars, PlaceCallHold.ModelEntry(model), Call)
            : null;
    }
}
