using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
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
/// <param name="Subscription">To what it subscribes.</param>
/// <param name="Orders">What it buys.</param>
/// <param name="AutoTopup">What is bought for it when too little is left.</param>
/// <param name="Alerts">What it wants to be told when too little is left.</param>
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
    Referral Referral,
    Subscription Subscription,
    Orders Orders,
    AutoTopup AutoTopup,
    Alerts.Alerts Alerts
)
{
    /// <summary>The alias of an account's stream in the log.</summary>
    public const string StreamType = "account";

    /// <summary>The state of a stream without events.</summary>
    public static Account Empty(AccountId id) =>
        new(
            id,
            0,
            default,
            AccountStatus.Missing,
            default,
            null,
            Wallet.Empty,
            KeyRing.Empty,
            SignIns.Empty,
            Referral.Empty,
            Subscription.None,
            Orders.None,
            AutoTopup.Off,
            Domain.Alerts.Alerts.None
        );

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
            WalletEvent e => EvolveWallet(account, e, fact),
            SubscriptionEvent e => account with { Subscription = Subscription.Evolve(account.Subscription, e) },
            PaymentEvent e => account with
            {
                Orders = Orders.Evolve(account.Orders, e, fact.At),
                AutoTopup = AutoTopup.Evolve(account.AutoTopup, e, account.Wallet, fact.At),
            },
            AlertEvent e => account with { Alerts = Domain.Alerts.Alerts.Evolve(account.Alerts, e) },
            _ => throw new UnreachableException($"No fold for {fact.Event.GetType().Name}."),
        };

        // Nearly every event is one of the wallet: a copy less.
        return fact.Event is WalletEvent ? next : next with { Version = fact.Version, LastAt = fact.At };
    }

    private static Account EvolveWallet(Account account, WalletEvent @event, in Fact fact)
    {
        var wallet = Wallet.Evolve(account.Wallet, @event, fact);
        return account with
        {
            Version = fact.Version,
            LastAt = fact.At,
            Wallet = wallet,
            Keys = KeyRing.Evolve(account.Keys, @event, account.Wallet, fact.At),
            Orders = Orders.Evolve(account.Orders, @event),
            AutoTopup = AutoTopup.Evolve(account.AutoTopup, wallet, fact.At),
            Subscription = Subscription.Evolve(account.Subscription, @event, account.Wallet),
        };
    }

    /// <summary>Nothing happens to this account by time alone before this time; a lower bound that spares a look per command.</summary>
    public DateTimeOffset NextDue
    {
        get
        {
            var due = Wallet.NextDue;
            if (Subscription.NextDue < due)
                due = Subscription.NextDue;
            return Orders.NextDue < due ? Orders.NextDue : due;
        }
    }

    /// <summary>
    /// When a sweep must look at this account although neither a hold nor a pocket of it lapses: its subscription's next period or end, an order that
    /// lapses, credits that wait to be bought. Far in the future where nothing of that kind is due.
    /// </summary>
    public DateTimeOffset NextScheduled
    {
        get
        {
            var due = Subscription.NextDue;
            if (Orders.NextDue < due)
                due = Orders.NextDue;

            // What it could buy at once it has bought, or cannot for another reason: then only something else that happens is worth a look.
            var topup = AutoTopup.NextDue;
            return Status == AccountStatus.Open && topup > DateTimeOffset.MinValue && topup < due ? topup : due;
        }
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
    /// Load–decide–append in memory: what is due happens first, then the command decides, then what it made of the balance is told, and the facts
    /// get ids, versions and times. A rejected or repeated command records nothing, not even what was due.
    /// </summary>
    public Outcome Transact(AccountCommand command, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(command);
        var (account, facts) = (this, ImmutableArray<Fact>.Empty);
        if (NextDue <= context.Now)
            (account, facts) = account.RecordDue(command.Id, context.Now);

        var decision = account.Refuses(command, context.Now) is { } refusal
            ? new Decision<AccountEvent>.Rejected(refusal)
            : command.Decide(account, context);
        if (decision is not Decision<AccountEvent>.Accepted(var events))
            return new(decision, [], this);

        if (!events.IsEmpty)
        {
            (account, var own) = Record(account, events, command.Id, context.Now);
            facts = facts.IsEmpty ? own : facts.AddRange(own);
        }

        if (account.Alerts.IsOn || account.AutoTopup.IsOn)
        {
            (account, var told) = account.RecordWatch(command.Id, context);
            facts = facts.AddRange(told);
        }

        return facts.IsEmpty ? new(decision, [], this) : new(decision, facts, account);
    }

    /// <summary>This account after some more events, whatever their ids: for decisions that depend on what they themselves decide first.</summary>
    internal Account After(ImmutableArray<AccountEvent> events, DateTimeOffset now) => Record(this, events, default, now).Account;

    /// <summary>What time alone has made happen, in the order in which it did: what lapses before a period begins lapses first.</summary>
    private (Account Account, ImmutableArray<Fact> Facts) RecordDue(Guid command, DateTimeOffset now)
    {
        var (account, facts) = (this, ImmutableArray.CreateBuilder<Fact>());
        while (account.NextDue <= now)
        {
            var boundary = account.Subscription.NextDue;
            var before = account.Version;
            Add(account.Wallet.Due(boundary < now ? boundary : now));
            if (boundary <= now)
                Add(account.Subscription.DueEvents(account.Wallet));
            else
                Add(account.Orders.Due(now));
            if (account.Version == before)
                break;
        }

        return (account, facts.DrainToImmutable());

        void Add(ImmutableArray<AccountEvent> events)
        {
            if (events.IsEmpty)
                return;
            (account, var recorded) = Record(account, events, command, now);
            facts.AddRange(recorded);
        }
    }

    /// <summary>What the balance has come to, where somebody wants to know: the threshold that was crossed, and what is bought because of it.</summary>
    private (Account Account, ImmutableArray<Fact> Facts) RecordWatch(Guid command, in DecisionContext context)
    {
        var (account, facts) = (this, ImmutableArray<Fact>.Empty);
        if (account.Alerts.IsOn && account.Alerts.After(account.Wallet, context.Now) is { } crossed)
            (account, facts) = Record(account, [crossed], command, context.Now);
        if (account.AutoTopup.After(account, command, context.Card, context.Now) is not { } ordered)
            return (account, facts);
        (account, var own) = Record(account, [ordered], command, context.Now);
        return (account, facts.AddRange(own));
    }

    private RejectionCode? Refuses(AccountCommand command, DateTimeOffset now) =>
        command.By is not { } by ? null
        : command.NeedsKey is { } kind ? RefusesAccess(by, kind, now)
        : RefusesAccess(by, now);

    /// <summary>
    /// This account with everything that is due by <paramref name="now"/> done, whether it is in the log already or not: the view that reads and
    /// quotes are answered from.
    /// </summary>
    public Account LapsedAt(DateTimeOffset now) =>
        NextDue > now ? this : RecordDue(default, now).Account with { Version = Version, LastAt = LastAt };

    /// <summary>
    /// What is due by <paramref name="now"/> and not in the log yet, as it would be recorded then: what books that close at that time count already.
    /// </summary>
    public ImmutableArray<Fact> DueAt(DateTimeOffset now) => NextDue > now ? [] : RecordDue(default, now).Facts;

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
