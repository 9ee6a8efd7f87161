using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Keys;
using Ledger.Domain.Referrals;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Accounts;

/// <summary>Whether an account may act.</summary>
public enum AccountStatus
{
    /// <summary>There is no such account yet.</summary>
    Missing,

    /// <summary>It may act.</summary>
    Open,

    /// <summary>It may not act until reinstated.</summary>
    Suspended,
}

/// <summary>Everything that a decision about one account depends on: the composed state of its one stream.</summary>
/// <param name="Id">Whose it is.</param>
/// <param name="Version">The last event's place in the stream; 0 before the first.</param>
/// <param name="LastAt">The last event's time.</param>
/// <param name="Status">Whether it may act.</param>
/// <param name="OpenedAt">When it was opened.</param>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
/// <param name="Wallet">What it holds.</param>
/// <param name="Keys">With what it signs in.</param>
/// <param name="SignIns">Which sign-ins without a key no longer hold.</param>
/// <param name="Referral">Who brought it, and whom it brought.</param>
public sealed record Account(
    AccountId Id,
    long Version,
    DateTimeOffset LastAt,
    AccountStatus Status,
    DateTimeOffset OpenedAt,
    string? Country,
    Wallet Wallet,
    KeyRing Keys,
    SignIns SignIns,
    Referral Referral
)
{
    /// <summary>The alias of an account's stream in the log.</summary>
    public const string StreamType = "account";

    /// <summary>The state of a stream without events.</summary>
    public static Account Empty(AccountId id) =>
        new(id, 0, default, AccountStatus.Missing, default, null, Wallet.Empty, KeyRing.Empty, SignIns.Empty, Referral.Empty);

    /// <summary>The state after one more fact. Never refuses; a fact that cannot follow is corruption.</summary>
    public static Account Evolve(Account account, in Fact fact)
    {
        var next = fact.Event switch
        {
            AccountOpened(var country) => account with { Status = AccountStatus.Open, OpenedAt = fact.At, Country = country },
            AccountSuspended => account with { Status = AccountStatus.Suspended, SignIns = SignIns.EndedUpTo(fact.At) },
            AccountReinstated => account with { Status = AccountStatus.Open },
            SignInEvent e => account with { SignIns = SignIns.Evolve(account.SignIns, e, fact.At) },
            ReferralEvent e => account with { Referral = Referral.Evolve(account.Referral, e) },
            KeyEvent e => account with { Keys = KeyRing.Evolve(account.Keys, e, account.Wallet, fact.At) },
            WalletEvent e => account with
            {
                Wallet = Wallet.Evolve(account.Wallet, e, fact),
                Keys = KeyRing.Evolve(account.Keys, e, account.Wallet, fact.At),
            },
            _ => throw new UnreachableException($"No fold for {fact.Event.GetType().Name}."),
        };
        return next with { Version = fact.Version, LastAt = fact.At };
    }

    /// <summary>Why somebody may not act for this account now, if so: access comes before everything else, repeats included.</summary>
    public RejectionCode? RefusesAccess(in Credential by, DateTimeOffset now)
    {
        if (Status == AccountStatus.Missing)
            return RejectionCode.AccountNotFound;
        if (by.IsKey && !Keys.Accepts(by.Key, by.Secret, now))
            return RejectionCode.KeyNotUsable;
        if (Status == AccountStatus.Suspended)
            return RejectionCode.AccountSuspended;
        if (by.SignIn != default && SignIns.HasEnded(by.SignIn, by.SignedInAt))
            return RejectionCode.SignInEnded;
        return null;
    }

    /// <summary>The same where a key must be of a kind besides. Whoever signed in without a key may do what either kind may.</summary>
    public RejectionCode? RefusesAccess(in Credential by, KeyKind needed, DateTimeOffset now) =>
        RefusesAccess(by, now) ?? (by.IsKey && Keys.Find(by.Key)!.Kind != needed ? RejectionCode.KeyKindNotAllowed : null);

    /// <summary>Why somebody may not have work done now, if so: access, then the kind of key.</summary>
    public RejectionCode? RefusesWork(in Credential by, DateTimeOffset now) => RefusesAccess(by, KeyKind.Inference, now);

    /// <summary>
    /// Load–decide–append in memory: what is due lapses first, then the command decides, and the facts get ids, versions and times.
    /// A rejected or repeated command records nothing, not even what was due.
    /// </summary>
    public Outcome Transact(AccountCommand command, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(command);
        var due = Wallet.Due(context.Now);
        var (account, facts) = (this, ImmutableArray<Fact>.Empty);
        if (!due.IsEmpty)
            (account, facts) = Record(account, due, command.Id, context.Now);

        var decision = account.Refuses(command, context.Now) is { } refusal
            ? new Decision<AccountEvent>.Rejected(refusal)
            : command.Decide(account, context);
        if (decision is not Decision<AccountEvent>.Accepted(var events))
            return new(decision, [], this);
        if (events.IsEmpty && facts.IsEmpty)
            return new(decision, [], this);

        (account, var own) = Record(account, events, command.Id, context.Now);
        return new(decision, facts.IsEmpty ? own : facts.AddRange(own), account);
    }

    private RejectionCode? Refuses(AccountCommand command, DateTimeOffset now) =>
        command.By is not { } by ? null
        : command.NeedsKey is { } kind ? RefusesAccess(by, kind, now)
        : RefusesAccess(by, now);

    /// <summary>This account with everything that is due by <paramref name="now"/> lapsed: the view that reads and quotes are answered from.</summary>
    public Account LapsedAt(DateTimeOffset now)
    {
        var due = Wallet.Due(now);
        return due.IsEmpty ? this : Record(this, due, default, now).Account with { Version = Version, LastAt = LastAt };
    }

    private static (Account Account, ImmutableArray<Fact> Facts) Record(
        Account account,
        ImmutableArray<AccountEvent> events,
        Guid command,
        DateTimeOffset now
    )
    {
        var facts = ImmutableArray.CreateBuilder<Fact>(events.Length);
        foreach (var @event in events)
        {
            var version = account.Version + 1;
            var fact = new Fact(EventIds.For(account.Id, @event, command, version), version, now, @event);
            account = Evolve(account, fact);
            facts.Add(fact);
        }

        return (account, facts.MoveToImmutable());
    }
}

/// <summary>What a command came to in memory.</summary>
/// <param name="Decision">The decision.</param>
/// <param name="Facts">What is to be appended, in order; empty unless accepted.</param>
/// <param name="After">The state after those facts.</param>
public readonly record struct Outcome(Decision<AccountEvent> Decision, ImmutableArray<Fact> Facts, Account After);
