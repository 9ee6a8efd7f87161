using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>
/// Gives a whole spend back, once: to the pockets that paid it, and off the debt where nothing had paid it. What returns to a lapsed
/// pocket expires at once; what returns while the unit is in debt pays that first.
/// </summary>
public sealed record ReverseSpend(AccountId Account, SpendId Spend, string Reason)
    : AccountCommand(Account, EventIds.Reversal(Account, Spend))
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls => [Id, Spend.Value];

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is SpendReversed;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        if (context.Past.Find(Spend.Value) is not { } fact)
            return Reject(RejectionCode.SpendNotFound);

        return fact.Event switch
        {
            CreditsSpent e => Reverse(
                new(fact.At, null, e.Key, e.Tool, e.Charged, e.Paid, null, e.Entry, null),
                account.Wallet,
                context.Now
            ),
            HoldSettled e => Reverse(
                new(fact.At, e.HeldAt, e.Key, e.Tool, e.Charged, e.FromHold.AddRange(e.FromAvailable), e.Debt, e.Entry, e.Call),
                account.Wallet,
                context.Now
            ),
            HoldSettledLate e => Reverse(
                new(fact.At, e.HeldAt, e.Key, e.Tool, e.Charged, e.Paid, e.Debt, e.Entry, e.Call),
                account.Wallet,
                context.Now
            ),
            _ => Reject(RejectionCode.SpendNotFound),
        };
    }

    private Decision<AccountEvent> Reverse(in Spent spent, Wallet wallet, DateTimeOffset now)
    {
        var unit = spent.Charged.Unit;
        var returned = Merge(spent.Paid);
        Amount? cleared = null;
        if (spent.Uncovered is { } was)
        {
            var off = Amount.Min(was, wallet.Debt(unit));
            if (off.IsPositive)
                cleared = off;

            // What a later grant has repaid of this spend's debt goes back to the newest unscoped pocket of the unit: only such a grant repays debt.
            if (was > off)
                returned = Merge(returned.Add(new(wallet.NewestUnscoped(unit, now)!.Value, (was - off).Parts)));
        }

        return Accept([
            new SpendReversed(
                Spend,
                spent.Key,
                spent.Tool,
                spent.Charged,
                spent.At,
                returned,
                cleared,
                Reason,
                spent.HeldAt,
                spent.Call?.Quota,
                spent.Entry,
                spent.Call is { } call ? call.Provider + "/" + call.Model : null
            ),
            .. wallet.AfterReturn(returned, cleared?.Parts ?? 0, now),
        ]);
    }

    private static ImmutableArray<PocketShare> Merge(ImmutableArray<PocketShare> shares) =>
        [.. shares.GroupBy(share => share.Pocket).Select(same => new PocketShare(same.Key, same.Sum(share => share.Parts)))];

    /// <summary>What is given back.</summary>
    private readonly record struct Spent(
        DateTimeOffset At,
        DateTimeOffset? HeldAt,
        KeyId Key,
        string Tool,
        Amount Charged,
        ImmutableArray<PocketShare> Paid,
        Amount? Uncovered,
        string Entry,
        CallRecord? Call
    );
}
