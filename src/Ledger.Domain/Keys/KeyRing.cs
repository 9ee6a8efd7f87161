using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Keys;

/// <summary>The keys of one account.</summary>
/// <param name="Keys">Every key ever created, by id.</param>
public sealed record KeyRing(ImmutableDictionary<KeyId, Key> Keys)
{
    /// <summary>No keys.</summary>
    public static KeyRing Empty { get; } = new(ImmutableDictionary<KeyId, Key>.Empty);

    /// <summary>The most keys that an account may have at a time, revoked ones apart.</summary>
    public const int MaxLive = 1000;

    /// <summary>The most keys that an account may ever have had: each stays in its state, since spends name it.</summary>
    public const int MaxEver = 10_000;

    /// <summary>The most keys that may stand in one line of minting.</summary>
    public const int MaxLine = 8;

    /// <summary>The key of an id, if there is one.</summary>
    public Key? Find(KeyId id) => Keys.GetValueOrDefault(id);

    /// <summary>The key of an id, unless it was revoked.</summary>
    public Key? FindLive(KeyId id) => Find(id) is { RevokedAt: null } key ? key : null;

    /// <summary>Whether a key's secret works at a time: then every key in its line does, so that what a leaked key minted dies with it.</summary>
    public bool Accepts(KeyId id, int secret, DateTimeOffset now)
    {
        if (Find(id) is not { } key || !key.Accepts(secret, now))
            return false;
        for (var next = key; next is not null; next = next.MintedBy is { } minter ? Find(minter) : null)
        {
            if (!next.UsableAt(now))
                return false;
        }

        return true;
    }

    /// <summary>A key, the key that minted it, the key that minted that, and so on.</summary>
    public IEnumerable<Key> Line(KeyId id)
    {
        for (var next = Find(id); next is not null; next = next.MintedBy is { } minter ? Find(minter) : null)
            yield return next;
    }

    /// <summary>
    /// What the limits that a key's spending counts against leave in a unit: the least of its own and its minters'; null where none of them has one.
    /// </summary>
    public LimitLeft? LeftFor(KeyId id, Unit unit, DateTimeOffset now)
    {
        LimitLeft? least = null;
        for (var next = Find(id); next is not null; next = next.MintedBy is { } minter ? Find(minter) : null)
        {
            if (next.LimitRemaining(unit, now) is { } left && !(least?.Left <= left))
                least = new(left, next.Id == id);
        }

        return least;
    }

    /// <summary>The state after an event of a key; <paramref name="wallet"/> knows the holds that are open.</summary>
    public static KeyRing Evolve(KeyRing ring, KeyEvent @event, Wallet wallet, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(ring);
        ArgumentNullException.ThrowIfNull(wallet);
        return @event switch
        {
            KeyCreated e => new(
                ring.Keys.Add(
                    e.Key,
                    new(
                        e.Key,
                        e.Name,
                        e.Kind,
                        e.Billing,
                        e.Environment,
                        e.SecretHash,
                        e.Prefix,
                        e.LastFour,
                        e.Limit,
                        e.LimitUsd,
                        e.LimitReset,
                        e.AllowedModels,
                        e.RateLimit,
                        e.ExpiresAt,
                        at,
                        null,
                        LimitWindow.Of(e.LimitReset, at),
                        0,
                        0,
                        e.MintedBy
                    )
                )
            ),
            KeyChanged e => new(ring.Keys.SetItem(e.Key, ring.After(ring.Existing(e.Key), e, wallet, at))),
            KeyRotated e => new(ring.Keys.SetItem(e.Key, Rotated(ring.Existing(e.Key), e))),
            KeyRevoked e => new(ring.Keys.SetItem(e.Key, ring.Existing(e.Key) with { RevokedAt = at })),
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }

    /// <summary>What an event of the wallet uses of a key's limit; <paramref name="before"/> knows the holds that it ends.</summary>
    public static KeyRing Evolve(KeyRing ring, WalletEvent @event, Wallet before, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(ring);
        ArgumentNullException.ThrowIfNull(before);
        return @event switch
        {
            CreditsSpent e => ring.Using(e.Key, e.Charged.Unit, e.Charged.Parts, at),
            HoldPlaced e => ring.Using(e.Key, e.Amount.Unit, e.Amount.Parts, at),
            HoldSettled e => ring.Using(e.Key, e.Charged.Unit, e.Charged.Parts - before.Holds[e.Hold].Amount.Parts, e.HeldAt),
            HoldReleased e => ring.GivingBack(before.Holds[e.Hold]),
            HoldExpired e => ring.GivingBack(before.Holds[e.Hold]),
            HoldSettledLate e => ring.Using(e.Key, e.Charged.Unit, e.Charged.Parts, e.HeldAt),
            SpendReversed e => ring.Using(e.Key, e.Amount.Unit, -e.Amount.Parts, e.HeldAt ?? e.SpentAt, e.SpentAt),
            CreditsGranted or HoldExtended or PocketExpired or DebtRepaid or CreditsClawedBack or ClawbackReturned => ring,
            _ => throw new UnreachableException($"No key usage for {@event?.GetType().Name}."),
        };
    }

    private static Key Rotated(Key key, KeyRotated e) =>
        key with
        {
            SecretHash = e.SecretHash,
            Prefix = e.Prefix,
            LastFour = e.LastFour,
            Secret = key.Secret + 1,
            PreviousSecretHash = key.SecretHash,
            PreviousUntil = e.PreviousUntil,
        };

    /// <summary>
    /// A key after a change. Where a limit's period changes, or a limit comes to be, what was used until then was not counted in those terms: counting
    /// starts anew, with what the key and those it minted hold at that moment.
    /// </summary>
    private Key After(Key key, KeyChanged e, Wallet wallet, DateTimeOffset at)
    {
        var changed = key with
        {
            Name = e.Name,
            Environment = e.Environment,
            Limit = e.Limit,
            LimitUsd = e.LimitUsd,
            LimitReset = e.LimitReset,
            AllowedModels = e.AllowedModels,
            RateLimit = e.RateLimit,
            ExpiresAt = e.ExpiresAt,
            Disabled = e.Disabled,
        };
        var isOtherPeriod = e.LimitReset != key.LimitReset;
        var anew = (
            Credits: e.Limit is not null && (isOtherPeriod || key.Limit is null),
            Usd: e.LimitUsd is not null && (isOtherPeriod || key.LimitUsd is null)
        );
        if (anew is { Credits: false, Usd: false })
            return changed;

        var window = LimitWindow.Of(e.LimitReset, at);
        var isPassed = window > key.Window && !isOtherPeriod;
        return changed with
        {
            Window = window,
            Used =
                anew.Credits ? HeldBy(key.Id, Unit.Credits, wallet, e.LimitReset, window)
                : isPassed ? 0
                : key.Used,
            UsedUsd =
                anew.Usd ? HeldBy(key.Id, Unit.Usd, wallet, e.LimitReset, window)
                : isPassed ? 0
                : key.UsedUsd,
            CountedFrom = at,
        };
    }

    private long HeldBy(KeyId key, Unit unit, Wallet wallet, LimitReset reset, long window) =>
        wallet
            .Holds.Values.Where(hold =>
                hold.Amount.Unit == unit
                && LimitWindow.Of(reset, hold.PlacedAt) == window
                && Line(hold.Key).Any(counted => counted.Id == key)
            )
            .Sum(hold => hold.Amount.Parts);

    private KeyRing GivingBack(Hold hold) => Using(hold.Key, hold.Amount.Unit, -hold.Amount.Parts, hold.PlacedAt);

    /// <summary>Counts an amount against a key's limit and its minters'. Who signed in without a key has no limit.</summary>
    /// <param name="id">The key.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="parts">How much; negative where it is given back.</param>
    /// <param name="countedAt">The time whose period counts it.</param>
    /// <param name="spentAt">When it was counted at first, where that was by an event which a changed limit may not have counted.</param>
    private KeyRing Using(KeyId id, Unit unit, long parts, DateTimeOffset countedAt, DateTimeOffset? spentAt = null)
    {
        var keys = Keys;
        for (var next = id == default ? null : Existing(id); next is not null; next = next.MintedBy is { } minter ? Existing(minter) : null)
        {
            if (spentAt <= next.CountedFrom)
                continue;
            var used = next.Using(unit, parts, countedAt);
            if (!ReferenceEquals(next, used))
                keys = keys.SetItem(next.Id, used);
        }

        return ReferenceEquals(keys, Keys) ? this : new(keys);
    }

    private Key Existing(KeyId id) => Find(id) ?? throw new InvalidDataException($"Key {id} was never created.");
}

/// <summary>What limits leave.</summary>
/// <param name="Left">How much.</param>
/// <param name="IsOwn">Whether the key's own limit is the one that leaves least, not a minter's.</param>
public readonly record struct LimitLeft(Amount Left, bool IsOwn);
