using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>
/// What has gone through a wallet in one unit, in parts. Always:
/// granted + reversed + debt = posted + spent + expired + clawed back, where posted is what remains in the pockets.
/// </summary>
/// <param name="Granted">Given in all.</param>
/// <param name="Spent">Charged in all.</param>
/// <param name="Reversed">Given back in all.</param>
/// <param name="Expired">Lapsed in all.</param>
/// <param name="Debt">Charged or clawed back, and not covered by anything yet.</param>
/// <param name="ClawedBack">Taken back in all because its money was, less what came back with won disputes.</param>
public readonly record struct WalletTotals(long Granted, long Spent, long Reversed, long Expired, long Debt, long ClawedBack = 0);

/// <summary>What one account holds: pockets, holds against them, and debt. Posted − held = available.</summary>
/// <param name="Open">The pockets that have something posted, in drain order.</param>
/// <param name="Emptied">The pockets that have nothing posted; a reversal may fill them again.</param>
/// <param name="Holds">The holds that have not ended.</param>
/// <param name="Credits">Totals in credits.</param>
/// <param name="Usd">Totals in dollars.</param>
/// <param name="NextDue">No pocket or hold lapses before this time; a lower bound that spares a scan per command.</param>
public sealed record Wallet(
    ImmutableArray<Pocket> Open,
    ImmutableDictionary<PocketId, Pocket> Emptied,
    ImmutableDictionary<HoldId, Hold> Holds,
    WalletTotals Credits,
    WalletTotals Usd,
    DateTimeOffset NextDue
)
{
    /// <summary>A wallet with nothing in it.</summary>
    public static Wallet Empty { get; } =
        new(
            [],
            ImmutableDictionary<PocketId, Pocket>.Empty,
            ImmutableDictionary<HoldId, Hold>.Empty,
            default,
            default,
            DateTimeOffset.MaxValue
        );

    /// <summary>Every pocket ever opened.</summary>
    public IEnumerable<Pocket> Pockets => Open.Concat(Emptied.Values);

    /// <summary>The number that the next pocket gets.</summary>
    public PocketId NextPocket => new(Open.Length + Emptied.Count + 1);

    /// <summary>What has gone through in a unit.</summary>
    public WalletTotals Totals(Unit unit) =>
        unit switch
        {
            Unit.Credits => Credits,
            Unit.Usd => Usd,
        };

    /// <summary>What is posted in a unit, scoped pockets included.</summary>
    public Amount Posted(Unit unit) => Sum(unit, pocket => pocket.Remaining);

    /// <summary>What is held in a unit, scoped pockets included.</summary>
    public Amount Held(Unit unit) => Sum(unit, pocket => pocket.Held);

    /// <summary>What is charged in a unit and not covered yet.</summary>
    public Amount Debt(Unit unit) => new(Totals(unit).Debt, unit);

    /// <summary>Whether a charge would keep the sums of the unit in range.</summary>
    public bool CanCount(Amount charge) => Totals(charge.Unit).Spent <= Limits.MaxSpent(charge.Unit).Parts - charge.Parts;

    /// <summary>Whether a grant would keep the sums of the unit in range.</summary>
    public bool CanTake(Amount grant) => (Int128)Totals(grant.Unit).Granted + grant.Parts <= Limits.MaxAmount(grant.Unit).Parts;

    /// <summary>What may be spent on a scope (null: on what no pack covers): nothing while the unit is in debt.</summary>
    public Amount Available(Unit unit, DateTimeOffset now, string? scope = null)
    {
        if (Totals(unit).Debt > 0)
            return Amount.Zero(unit);
        long parts = 0;
        foreach (var pocket in Open)
        {
            if (Pays(pocket, unit, scope, now))
                parts += pocket.Free;
        }

        return new(parts, unit);
    }

    /// <summary>What only a scope's own packs have for it: nothing while credits are in debt.</summary>
    public Amount AvailableInPacks(string scope, DateTimeOffset now)
    {
        if (Credits.Debt > 0)
            return Amount.Zero(Unit.Credits);
        long parts = 0;
        foreach (var pocket in Open)
        {
            if (pocket.Scope is not null && Pays(pocket, Unit.Credits, scope, now))
                parts += pocket.Free;
        }

        return new(parts, Unit.Credits);
    }

    /// <summary>The pack that pays first for a scope; null where none has anything.</summary>
    public Pocket? FirstPack(string scope, DateTimeOffset now)
    {
        foreach (var pocket in Open)
        {
            if (pocket.Scope is not null && Pays(pocket, Unit.Credits, scope, now))
                return pocket;
        }

        return null;
    }

    /// <summary>Takes an amount from the pockets in drain order; where they do not cover it, what they have.</summary>
    public ImmutableArray<PocketShare> Allocate(Amount amount, DateTimeOffset now, string? scope = null)
    {
        if (amount.IsZero || Totals(amount.Unit).Debt > 0)
            return [];
        var rest = amount.Parts;
        var shares = ImmutableArray.CreateBuilder<PocketShare>(1);
        foreach (var pocket in Open)
        {
            if (rest == 0)
                break;
            if (!Pays(pocket, amount.Unit, scope, now))
                continue;
            var parts = Math.Min(rest, pocket.Free);
            shares.Add(new(pocket.Id, parts));
            rest -= parts;
        }

        return shares.DrainToImmutable();
    }

    /// <summary>The pocket of an id.</summary>
    /// <exception cref="InvalidDataException">There is none: the history is corrupt.</exception>
    public Pocket Pocket(PocketId id)
    {
        foreach (var pocket in Open)
        {
            if (pocket.Id == id)
                return pocket;
        }

        return Emptied.TryGetValue(id, out var empty) ? empty : throw new InvalidDataException($"Pocket {id} was never opened.");
    }

    /// <summary>
    /// What lapses by <paramref name="now"/>, in the order of its time: expired holds, free parts of expired pockets, and what a hold's
    /// end returned to a pocket that had lapsed before. Each is dated when it was due, not when it was noticed.
    /// </summary>
    public ImmutableArray<WalletEvent> DueEvents(DateTimeOffset now)
    {
        if (NextDue > now)
            return [];
        var events = ImmutableArray.CreateBuilder<WalletEvent>();
        var pockets = Open.ToDictionary(pocket => pocket.Id);
        var debts = new Dictionary<Unit, long> { [Unit.Credits] = Credits.Debt, [Unit.Usd] = Usd.Debt };
        var holds = Holds
            .Values.Where(hold => hold.ExpiresAt <= now)
            .OrderBy(hold => hold.ExpiresAt)
            .ThenBy(hold => hold.Id.Value)
            .ToList();

        // What is free lapses at the pocket's own expiry; what a hold's end returns later lapses when it returns.
        void LapsePockets(DateTimeOffset by, DateTimeOffset? returnedAt = null)
        {
            foreach (
                var pocket in pockets
                    .Values.Where(p => p.LapsedAt(by) && p.Free > 0)
                    .OrderBy(p => p.ExpiresAt)
                    .ThenBy(p => p.Id.Number)
                    .ToList()
            )
            {
                events.Add(new PocketExpired(pocket.Id, new(pocket.Free, pocket.Unit), returnedAt ?? pocket.ExpiresAt!.Value));
                pockets[pocket.Id] = pocket with { Remaining = pocket.Held };
            }
        }

        foreach (var hold in holds)
        {
            LapsePockets(hold.ExpiresAt);
            events.Add(new HoldExpired(hold.Id, hold.ExpiresAt));
            foreach (var share in hold.Allocated)
            {
                var pocket = pockets[share.Pocket];
                pockets[share.Pocket] = pocket with { Held = pocket.Held - share.Parts };
            }

            LapsePockets(hold.ExpiresAt, hold.ExpiresAt);

            // What has not lapsed is as good as given again: it pays what is owed.
            foreach (var share in hold.Allocated)
            {
                var pocket = pockets[share.Pocket];
                var pays = Math.Min(debts[pocket.Unit], share.Parts);
                if (pays <= 0 || pocket.Scope is not null || pocket.LapsedAt(hold.ExpiresAt))
                    continue;
                events.Add(new DebtRepaid(share.Pocket, new(pays, pocket.Unit)));
                pockets[share.Pocket] = pocket with { Remaining = pocket.Remaining - pays };
                debts[pocket.Unit] -= pays;
            }
        }

        LapsePockets(now);
        return events.DrainToImmutable();
    }

    /// <summary><see cref="DueEvents"/> as the account's events.</summary>
    public ImmutableArray<Accounts.AccountEvent> Due(DateTimeOffset now) =>
        NextDue > now ? [] : ImmutableArray<Accounts.AccountEvent>.CastUp(DueEvents(now));

    /// <summary>
    /// What follows at once from funds that returned to pockets: what returned to a lapsed one expires; of the rest, what no pack binds pays debt.
    /// </summary>
    /// <param name="returned">Which pockets, all of one unit, get how much back.</param>
    /// <param name="cleared">What the return itself takes off the debt, in parts.</param>
    /// <param name="now">The time.</param>
    public ImmutableArray<Accounts.AccountEvent> AfterReturn(ImmutableArray<PocketShare> returned, long cleared, DateTimeOffset now)
    {
        if (returned.IsEmpty)
            return [];
        var events = ImmutableArray.CreateBuilder<Accounts.AccountEvent>();
        var unit = Pocket(returned[0].Pocket).Unit;
        var debt = Totals(unit).Debt - cleared;
        foreach (var share in returned)
        {
            var pocket = Pocket(share.Pocket);
            if (pocket.LapsedAt(now))
            {
                events.Add(new PocketExpired(share.Pocket, new(share.Parts, unit), now));
            }
            else if (debt > 0 && pocket.Scope is null)
            {
                var pays = Math.Min(debt, share.Parts);
                events.Add(new DebtRepaid(share.Pocket, new(pays, unit)));
                debt -= pays;
            }
        }

        return events.DrainToImmutable();
    }

    /// <summary>
    /// The newest pocket of a unit that no pack binds, since only such a grant pays debt: of those that have not lapsed, where there is one, so that
    /// what returns does not lapse on its way. Null where there is none at all.
    /// </summary>
    public PocketId? NewestUnscoped(Unit unit, DateTimeOffset now) =>
        Pockets.Where(pocket => pocket.Unit == unit && pocket.Scope is null).MaxBy(pocket => (!pocket.LapsedAt(now), pocket.Id.Number))?.Id;

    /// <summary>The state after one more event. Never refuses.</summary>
    public static Wallet Evolve(Wallet wallet, WalletEvent @event, in Fact fact)
    {
        ArgumentNullException.ThrowIfNull(wallet);
        switch (@event)
        {
            case CreditsGranted e:
                var pocket = new Pocket(
                    e.Pocket,
                    e.Amount.Unit,
                    e.Source,
                    e.Scope,
                    e.Amount.Parts,
                    e.Amount.Parts,
                    0,
                    e.ExpiresAt,
                    fact.At,
                    fact.Id
                );
                if (e.Pocket != wallet.NextPocket)
                    throw new InvalidDataException($"Pocket {e.Pocket} opened where {wallet.NextPocket} was next.");
                return (wallet with { Open = Insert(wallet.Open, pocket) })
                    .Totalled(e.Amount.Unit, t => t with { Granted = t.Granted + e.Amount.Parts })
                    .DueNoLaterThan(e.ExpiresAt);

            case CreditsSpent e:
                return wallet.Pay(e.Paid).WithSpent(e.Charged);

            case HoldPlaced e:
                var placed = Hold.From(fact, e);
                return (
                    wallet.Change(e.Allocated, static (p, parts) => p with { Held = p.Held + parts }) with
                    {
                        Holds = wallet.Holds.Add(placed.Id, placed),
                    }
                ).DueNoLaterThan(e.ExpiresAt);

            case HoldExtended e:
                if (!wallet.Holds.TryGetValue(e.Hold, out var extended))
                    throw new InvalidDataException($"Hold {e.Hold} is extended without being open.");
                return (wallet with { Holds = wallet.Holds.SetItem(e.Hold, extended with { ExpiresAt = e.ExpiresAt }) }).WithDueReckoned();

            case HoldSettled e:
                return wallet
                    .End(e.Hold)
                    .Pay(e.FromHold)
                    .Pay(e.FromAvailable)
                    .Totalled(e.Charged.Unit, t => t with { Spent = t.Spent + e.Charged.Parts, Debt = t.Debt + (e.Debt?.Parts ?? 0) });

            case HoldReleased e:
                return wallet.End(e.Hold);

            case HoldExpired e:
                return wallet.End(e.Hold);

            case HoldSettledLate e:
                return wallet
                    .Pay(e.Paid)
                    .Totalled(e.Charged.Unit, t => t with { Spent = t.Spent + e.Charged.Parts, Debt = t.Debt + (e.Debt?.Parts ?? 0) });

            case SpendReversed e:
                return wallet
                    .Change(e.Returned, static (p, parts) => p with { Remaining = p.Remaining + parts })
                    .Totalled(
                        e.Amount.Unit,
                        t => t with { Reversed = t.Reversed + e.Amount.Parts, Debt = t.Debt - (e.DebtCleared?.Parts ?? 0) }
                    )
                    .WithDueReckoned();

            case PocketExpired e:
                return wallet
                    .Pay([new(e.Pocket, e.Amount.Parts)])
                    .Totalled(e.Amount.Unit, t => t with { Expired = t.Expired + e.Amount.Parts })
                    .WithDueReckoned();

            case DebtRepaid e:
                return wallet.Pay([new(e.Pocket, e.Amount.Parts)]).Totalled(e.Amount.Unit, t => t with { Debt = t.Debt - e.Amount.Parts });

            case CreditsClawedBack e:
                return wallet
                    .Pay(e.Taken)
                    .Totalled(
                        e.Amount.Unit,
                        t => t with { ClawedBack = t.ClawedBack + e.Amount.Parts, Debt = t.Debt + (e.Debt?.Parts ?? 0) }
                    );

            case ClawbackReturned e:
                return wallet
                    .Change(e.Returned, static (p, parts) => p with { Remaining = p.Remaining + parts })
                    .Totalled(
                        e.Amount.Unit,
                        t => t with { ClawedBack = t.ClawedBack - e.Amount.Parts, Debt = t.Debt - (e.DebtCleared?.Parts ?? 0) }
                    )
                    .WithDueReckoned();

            default:
                throw new UnreachableException($"No fold for {@event?.GetType().Name}.");
        }
    }

    /// <summary>The same wallet with <see cref="NextDue"/> reckoned anew from its pockets and holds.</summary>
    public Wallet WithDueReckoned()
    {
        var due = DateTimeOffset.MaxValue;
        foreach (var pocket in Open)
        {
            if (pocket.Free > 0 && pocket.ExpiresAt < due)
                due = pocket.ExpiresAt.Value;
        }

        foreach (var hold in Holds.Values)
        {
            if (hold.ExpiresAt < due)
                due = hold.ExpiresAt;
        }

        return this with
        {
            NextDue = due,
        };
    }

    private static bool Pays(Pocket pocket, Unit unit, string? scope, DateTimeOffset now) =>
        pocket.Unit == unit
        && pocket.Free > 0
        && !pocket.LapsedAt(now)
        && (pocket.Scope is null || string.Equals(pocket.Scope, scope, StringComparison.Ordinal));

    private static ImmutableArray<Pocket> Insert(ImmutableArray<Pocket> open, Pocket pocket)
    {
        var at = 0;
        while (at < open.Length && Wallets.Pocket.CompareDrainOrder(open[at], pocket) < 0)
            at++;
        return open.Insert(at, pocket);
    }

    private Amount Sum(Unit unit, Func<Pocket, long> part)
    {
        long parts = 0;
        foreach (var pocket in Open)
        {
            if (pocket.Unit == unit)
                parts += part(pocket);
        }

        return new(parts, unit);
    }

    private Wallet Totalled(Unit unit, Func<WalletTotals, WalletTotals> change) =>
        unit switch
        {
            Unit.Credits => this with { Credits = change(Credits) },
            Unit.Usd => this with { Usd = change(Usd) },
        };

    private Wallet WithSpent(Amount charged) =>
        charged.Unit switch
        {
            Unit.Credits => this with { Credits = Credits with { Spent = Credits.Spent + charged.Parts } },
            Unit.Usd => this with { Usd = Usd with { Spent = Usd.Spent + charged.Parts } },
        };

    private Wallet DueNoLaterThan(DateTimeOffset? at) => at < NextDue ? this with { NextDue = at.Value } : this;

    private Wallet Pay(ImmutableArray<PocketShare> shares) =>
        Change(shares, static (p, parts) => p with { Remaining = p.Remaining - parts });

    private Wallet End(HoldId id)
    {
        if (!Holds.TryGetValue(id, out var hold))
            throw new InvalidDataException($"Hold {id} ends without being open.");
        var wallet = Change(hold.Allocated, static (p, parts) => p with { Held = p.Held - parts }) with { Holds = Holds.Remove(id) };

        // A pocket that had lapsed under the hold has something free again, so the bound must be reckoned anew, not only lifted.
        return wallet.WithDueReckoned();
    }

    private Wallet Change(ImmutableArray<PocketShare> shares, Func<Pocket, long, Pocket> change)
    {
        var wallet = this;
        var (due, reckon) = (NextDue, false);
        foreach (var share in shares)
        {
            var open = wallet.Open;
            var at = 0;
            while (at < open.Length && open[at].Id != share.Pocket)
                at++;
            if (at < open.Length)
            {
                var changed = change(open[at], share.Parts);
                if (changed.Remaining < changed.Held || changed.Held < 0)
                    throw new InvalidDataException($"Pocket {changed.Id} would hold {changed.Held} of {changed.Remaining}.");
                reckon |= changed.ExpiresAt <= due && changed.Free == 0;
                wallet =
                    changed.Remaining > 0
                        ? wallet with
                        {
                            Open = open.SetItem(at, changed),
                        }
                        : wallet with
                        {
                            Open = open.RemoveAt(at),
                            Emptied = wallet.Emptied.Add(changed.Id, changed),
                        };
            }
            else
            {
                if (!wallet.Emptied.TryGetValue(share.Pocket, out var empty))
                    throw new InvalidDataException($"Pocket {share.Pocket} was never opened.");
                var changed = change(empty, share.Parts);
                if (changed.Remaining < changed.Held || changed.Held < 0)
                    throw new InvalidDataException($"Pocket {changed.Id} would hold {changed.Held} of {changed.Remaining}.");
                wallet =
                    changed.Remaining > 0
                        ? wallet with
                        {
                            Open = Insert(open, changed),
                            Emptied = wallet.Emptied.Remove(changed.Id),
                        }
                        : wallet with
                        {
                            Emptied = wallet.Emptied.SetItem(changed.Id, changed),
                        };
            }
        }

        // The pocket that was next to lapse has nothing left to lapse: a bound left behind would cost a scan with every command from its expiry on.
        return reckon ? wallet.WithDueReckoned() : wallet;
    }
}
