using System.Diagnostics.CodeAnalysis;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Journal;

/// <summary>What an account of the books is for. The names are the wire contract.</summary>
public enum LedgerAccountKind
{
    /// <summary>An asset: money at a payment provider, by provider.</summary>
    Cash,

    /// <summary>An asset: what accounts were charged and nothing has covered yet. The account holders' debt.</summary>
    Receivable,

    /// <summary>A liability: what accounts may still spend, by the source of their funds.</summary>
    Liability,

    /// <summary>Income: work that was done, by tool or by provider/model.</summary>
    Revenue,

    /// <summary>Income: subscriptions that come without credits, by tier.</summary>
    Subscription,

    /// <summary>An expense: what was given for nothing, by who gave it.</summary>
    Promotion,

    /// <summary>Income: what lapsed unspent, by the source of the funds.</summary>
    Breakage,

    /// <summary>
    /// Between money and what is given for it, since units never mix: <c>sales</c>, <c>refunds</c> and <c>disputes</c>. What a sale puts in on the one
    /// side in dollars it takes out on the other in what it gives, and both are worth the same.
    /// </summary>
    Clearing,
}

/// <summary>One account of the books: a kind, and within most kinds a name.</summary>
public readonly record struct LedgerAccount
{
    // Null for the empty text, so that the default value equals it.
    private readonly string? _name;

    /// <summary>An account of a kind.</summary>
    public LedgerAccount(LedgerAccountKind kind, string name = "") => (Kind, _name) = (kind, string.IsNullOrEmpty(name) ? null : name);

    /// <summary>What accounts owe.</summary>
    public static LedgerAccount Receivable { get; } = new(LedgerAccountKind.Receivable);

    /// <summary>What is sold.</summary>
    public static LedgerAccount Sales { get; } = new(LedgerAccountKind.Clearing, "sales");

    /// <summary>What is refunded.</summary>
    public static LedgerAccount Refunds { get; } = new(LedgerAccountKind.Clearing, "refunds");

    /// <summary>What is disputed.</summary>
    public static LedgerAccount Disputes { get; } = new(LedgerAccountKind.Clearing, "disputes");

    /// <summary>What it is for.</summary>
    public LedgerAccountKind Kind { get; }

    /// <summary>Its name within its kind; empty where the kind has one account only.</summary>
    public string Name => _name ?? "";

    /// <summary>What accounts may still spend of one source.</summary>
    public static LedgerAccount Liability(PocketSource source) => new(LedgerAccountKind.Liability, NameOf(source));

    /// <summary>What lapsed of one source.</summary>
    public static LedgerAccount Breakage(PocketSource source) => new(LedgerAccountKind.Breakage, NameOf(source));

    /// <summary>Whether it is what an account holder has, or owes: the part of the books that is theirs.</summary>
    public bool IsHolders => Kind is LedgerAccountKind.Liability or LedgerAccountKind.Receivable;

    /// <summary>The name of a source, as everywhere on the wire.</summary>
    public static string NameOf(PocketSource source) =>
        source switch
        {
            PocketSource.Subscription => "subscription",
            PocketSource.Bonus => "bonus",
            PocketSource.Payg => "payg",
            PocketSource.Prepaid => "prepaid",
            PocketSource.Pack => "pack",
        };

    /// <summary>The name of a kind, as everywhere on the wire.</summary>
    public static string NameOf(LedgerAccountKind kind) =>
        kind switch
        {
            LedgerAccountKind.Cash => "cash",
            LedgerAccountKind.Receivable => "receivable",
            LedgerAccountKind.Liability => "liability",
            LedgerAccountKind.Revenue => "revenue",
            LedgerAccountKind.Subscription => "subscription",
            LedgerAccountKind.Promotion => "promotion",
            LedgerAccountKind.Breakage => "breakage",
            LedgerAccountKind.Clearing => "clearing",
        };

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out LedgerAccount account)
    {
        account = default;
        if (text is null)
            return false;
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var kind = colon < 0 ? text : text[..colon];
        foreach (var known in Enum.GetValues<LedgerAccountKind>())
        {
            if (!string.Equals(NameOf(known), kind, StringComparison.Ordinal))
                continue;
            account = new(known, colon < 0 ? "" : text[(colon + 1)..]);
            return true;
        }

        return false;
    }

    /// <summary>The kind, and the name after a colon where there is one: <c>liability:payg</c>, <c>receivable</c>.</summary>
    public override string ToString() => Name.Length == 0 ? NameOf(Kind) : NameOf(Kind) + ":" + Name;
}
