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

    /// <summary>The key of an id, if there is one.</summary>
    public Key? Find(KeyId id) => Keys.GetValueOrDefault(id);

    /// <summary>The state after an event of a key.</summary>
    public static KeyRing Evolve(KeyRing ring, KeyEvent @event, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(ring);
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
                        0
                    )
                )
            ),
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
            SpendReversed e => ring.Using(e.Key, e.Amount.Unit, -e.Amount.Parts, e.HeldAt ?? e.SpentAt),
            CreditsGranted or PocketExpired or DebtRepaid => ring,
            _ => throw new UnreachableException($"No key usage for {@event?.GetType().Name}."),
        };
    }

    private KeyRing GivingBack(Hold hold) => Using(hold.Key, hold.Amount.Unit, -hold.Amount.Parts, hold.PlacedAt);

    private KeyRing Using(KeyId id, Unit unit, long parts, DateTimeOffset countedAt)
    {
        var key = Existing(id);
        var used = key.Using(unit, parts, countedAt);
        return ReferenceEquals(key, used) ? this : new(Keys.SetItem(id, used));
    }

    private Key Existing(KeyId id) => Find(id) ?? throw new InvalidDataException($"Key {id} was never created.");
}
