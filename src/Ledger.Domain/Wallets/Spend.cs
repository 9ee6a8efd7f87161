using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Wallets;

/// <summary>Charges work that was done, once per tool and reference.</summary>
public sealed record Spend(
    AccountId Account,
    KeyId Key,
    string Tool,
    Quantity Units,
    string Reference,
    string? Metadata = null,
    string? MetadataDigest = null,
    Quantity? AudioDuration = null
) : AccountCommand(Account, EventIds.Use(Account, Tool, Reference))
{
    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is CreditsSpent e && e.Units == Units;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.RefusesWork(By ?? new Credential(Key), context.Now) is { } refusal)
            return Reject(refusal);
        if (context.Past.Find(Id) is { } first)
            return first.Event is CreditsSpent e && e.Units == Units ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        var quote = Quote.For(account, Key, Tool, Units, context.Now, context.Card);
        if (quote.Refusal is { } code)
            return Reject(code, quote.Shortfall);

        var paid = account.Wallet.Allocate(quote.Cost, context.Now);
        return Accept(
            new CreditsSpent(
                Key,
                Tool,
                Units,
                quote.Cost,
                context.Card.Version,
                quote.Entry!.Id,
                Reference,
                paid,
                Metadata,
                MetadataDigest,
                AudioDuration
            )
        );
    }
}

/// <summary>What work would cost now, and whether it would be allowed: the checks that a spend, a hold and a price check share.</summary>
/// <param name="Cost">What it costs; zero where there is no price.</param>
/// <param name="Entry">The entry that prices it; null where there is none.</param>
/// <param name="Refusal">Why it would be refused; null where it would not.</param>
/// <param name="Shortfall">Which limit would refuse; null where none would.</param>
public readonly record struct Quote(Amount Cost, ToolEntry? Entry, RejectionCode? Refusal, Shortfall? Shortfall)
{
    /// <summary>Prices units of a tool for a key that may work (the default value where its account signed in without one), and tries every limit, in the order of the codes.</summary>
    public static Quote For(Account account, KeyId key, string tool, Quantity units, DateTimeOffset now, RateCard card)
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(card);
        if (key != default && account.Keys.Find(key) is not { Kind: KeyKind.Inference })
            return new(default, null, RejectionCode.KeyKindNotAllowed, null);
        if (card.FindTool(tool) is not { } entry)
            return new(default, null, RejectionCode.UnknownTool, null);
        if (!units.IsPositive || Charge.WholeCredits(units, entry.Credits) is not { } cost || !account.Wallet.CanCount(cost))
            return new(default, entry, RejectionCode.AmountOutOfRange, null);

        if (account.Keys.LeftFor(key, cost.Unit, now) is { } limit && limit.Left < cost)
            return new(cost, entry, RejectionCode.KeyLimitReached, new(limit.IsOwn ? "key" : "minting_key", cost, limit.Left));

        var wallet = account.Wallet;
        var available = wallet.Available(cost.Unit, now);
        if (available < cost)
            return new(
                cost,
                entry,
                RejectionCode.InsufficientCredits,
                new(wallet.Debt(cost.Unit).IsPositive ? "debt" : "balance", cost, available)
            );

        return new(cost, entry, null, null);
    }
}
