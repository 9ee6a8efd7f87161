using System.Collections.Immutable;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Keys;

/// <summary>What a key may be used for.</summary>
public enum KeyKind
{
    /// <summary>Inference, tools, reading its account.</summary>
    Inference,

    /// <summary>Managing its account; no inference, no tools.</summary>
    Provisioning,
}

/// <summary>What an inference key's calls are paid from.</summary>
public enum KeyBilling
{
    /// <summary>The prepaid balance.</summary>
    PayPerToken,

    /// <summary>The subscription's token quota.</summary>
    Subscription,
}

/// <summary>A token bucket; unlimited where <paramref name="Unlimited"/> says so.</summary>
/// <param name="Burst">How many requests may come at once.</param>
/// <param name="RefillPerSecond">How many come back per second.</param>
/// <param name="Unlimited">Whether there is no bucket at all.</param>
public sealed record KeyRateLimit(int Burst, Quantity RefillPerSecond, bool Unlimited)
{
    /// <summary>Of the pack dialect and the generic inference routes, which pay-per-token keys use: 10 at once, 0.5 per second.</summary>
    public static KeyRateLimit Generic { get; } = new(10, Quantity.Parse("0.5"), false);

    /// <summary>Of the tool-tuned inference routes: 60 at once, 5 per second.</summary>
    public static KeyRateLimit ToolTuned { get; } = new(60, Quantity.Of(5), false);

    /// <summary>What a key of a billing mode has where nothing else is said: the bucket of the routes that are made for it.</summary>
    public static KeyRateLimit Of(KeyBilling billing) =>
        billing switch
        {
            KeyBilling.PayPerToken => Generic,
            KeyBilling.Subscription => ToolTuned,
        };

    /// <summary>Whether this lets nothing pass that another one would not.</summary>
    public bool IsWithin(KeyRateLimit other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other.Unlimited || (!Unlimited && Burst <= other.Burst && RefillPerSecond.Nanos <= other.RefillPerSecond.Nanos);
    }
}

/// <summary>One key of an account, and what it has used in its current limit period.</summary>
/// <param name="Id">The key's id.</param>
/// <param name="Name">The owner's name for it.</param>
/// <param name="Kind">What it may be used for.</param>
/// <param name="Billing">What its calls are paid from.</param>
/// <param name="Environment">The owner's label; null for none.</param>
/// <param name="SecretHash">SHA-256 of the secret, lower-case hex.</param>
/// <param name="Prefix">What the secret starts with, up to <c>_live_</c>.</param>
/// <param name="LastFour">The secret's last four characters.</param>
/// <param name="Limit">The most credits per period; null for no limit.</param>
/// <param name="LimitUsd">The most dollars per period; null for no limit.</param>
/// <param name="LimitReset">The period.</param>
/// <param name="AllowedModels">The models it may call; empty for all.</param>
/// <param name="RateLimit">Its own token bucket; null for the route's default.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="RevokedAt">When it was revoked; null while it was not.</param>
/// <param name="Window">The period that the two figures below count, by <see cref="LimitWindow.Of"/>.</param>
/// <param name="Used">Credits spent or held in that period, in parts; counted only where there is a limit.</param>
/// <param name="UsedUsd">Dollars spent or held in that period, in parts; counted only where there is a limit.</param>
/// <param name="MintedBy">The key that minted it, against whose limit it counts too; null where no key did.</param>
/// <param name="Disabled">Whether it rests: it does not work until it is enabled again.</param>
/// <param name="CountedFrom">Since when the two figures count, where limits were changed; null where they count from the key's creation.</param>
/// <param name="Secret">The number of its secret, from 1; each rotation adds one.</param>
/// <param name="PreviousSecretHash">SHA-256 of the secret before; null before the first rotation.</param>
/// <param name="PreviousUntil">Until when the secret before works; null before the first rotation.</param>
public sealed record Key(
    KeyId Id,
    string Name,
    KeyKind Kind,
    KeyBilling Billing,
    string? Environment,
    string SecretHash,
    string Prefix,
    string LastFour,
    Amount? Limit,
    Amount? LimitUsd,
    LimitReset LimitReset,
    ImmutableArray<string> AllowedModels,
    KeyRateLimit? RateLimit,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset? RevokedAt,
    long Window,
    long Used,
    long UsedUsd,
    KeyId? MintedBy = null,
    bool Disabled = false,
    DateTimeOffset? CountedFrom = null,
    int Secret = 1,
    string? PreviousSecretHash = null,
    DateTimeOffset? PreviousUntil = null
)
{
    /// <summary>The bucket that it is measured by on the routes that are made for it.</summary>
    public KeyRateLimit EffectiveRateLimit => RateLimit ?? KeyRateLimit.Of(Billing);

    /// <summary>
    /// Whether it may call a model: one with a list may call those alone, by the name that the list has or by that of the model which the name leads to.
    /// </summary>
    /// <param name="name">The name by which it is called.</param>
    /// <param name="model">The model that this leads to.</param>
    public bool Allows(string name, PricedModel model) =>
        AllowedModels.IsDefaultOrEmpty
        || AllowedModels.Contains(name)
        || AllowedModels.Contains(ModelDirectory.NameOf(model))
        || AllowedModels.Contains(model.Model);

    /// <summary>Whether it works at a time.</summary>
    public bool UsableAt(DateTimeOffset now) => RevokedAt is null && !Disabled && !(ExpiresAt <= now);

    /// <summary>Whether one of its secrets works at a time: the newest, or the one before while its grace lasts.</summary>
    /// <param name="secret">The secret's number; 0 where none was shown and somebody else vouches.</param>
    /// <param name="now">The time.</param>
    public bool Accepts(int secret, DateTimeOffset now) => secret == 0 || secret == Secret || (secret == Secret - 1 && now < PreviousUntil);

    /// <summary>Its limit in a unit; null where it has none.</summary>
    public Amount? LimitIn(Unit unit) =>
        unit switch
        {
            Unit.Credits => Limit,
            Unit.Usd => LimitUsd,
        };

    /// <summary>What its limit in a unit still leaves at a time; null where there is no limit.</summary>
    public Amount? LimitRemaining(Unit unit, DateTimeOffset now)
    {
        if (LimitIn(unit) is not { } limit)
            return null;
        var used =
            LimitWindow.Of(LimitReset, now) > Window ? 0
            : unit == Unit.Credits ? Used
            : UsedUsd;
        return new(Math.Max(0, limit.Parts - used), unit);
    }

    /// <summary>
    /// The key after using (or, negative, giving back) an amount that counts in the period of <paramref name="countedAt"/>.
    /// A period never comes back: what belongs to one that has passed no longer counts.
    /// </summary>
    public Key Using(Unit unit, long parts, DateTimeOffset countedAt)
    {
        if (LimitIn(unit) is null || parts == 0)
            return this;
        var window = LimitWindow.Of(LimitReset, countedAt);
        if (window < Window)
            return this;
        var key = window == Window ? this : this with { Window = window, Used = 0, UsedUsd = 0 };
        return unit == Unit.Credits
            ? key with
            {
                Used = Math.Max(0, key.Used + parts),
            }
            : key with
            {
                UsedUsd = Math.Max(0, key.UsedUsd + parts),
            };
    }
}
