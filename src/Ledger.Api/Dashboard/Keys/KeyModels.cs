using Ledger.Domain.Keys;
using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard.Keys;

/// <summary>An account's keys.</summary>
/// <param name="Keys">Those that are shown, newest first.</param>
/// <param name="Environments">The labels that there are.</param>
/// <param name="Environment">The label that they are filtered by; null for all, empty for those without one.</param>
/// <param name="Total">How many there are without a filter.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record KeyListModel(
    IReadOnlyList<KeyLine> Keys,
    IReadOnlyList<string> Environments,
    string? Environment,
    int Total,
    string? First,
    string? Next,
    string? Notice
);

/// <summary>One key.</summary>
/// <param name="Key">The key.</param>
/// <param name="Month">What it was charged since the first of the month, in each unit that it used.</param>
/// <param name="Total">What it was charged ever, in each unit that it used.</param>
/// <param name="LastUsedAt">When it was last used; null before the first time.</param>
/// <param name="Works">Whether it works now, by itself and by those that minted it.</param>
/// <param name="Now">The time by which it is so.</param>
public sealed record KeyLine(
    Key Key,
    IReadOnlyList<Amount> Month,
    IReadOnlyList<Amount> Total,
    DateTimeOffset? LastUsedAt,
    bool Works,
    DateTimeOffset Now
)
{
    /// <summary>Its limits and what of them is used in their period.</summary>
    public IEnumerable<(Amount Used, Amount Limit)> Limits
    {
        get
        {
            foreach (var unit in (Unit[])[Unit.Credits, Unit.Usd])
            {
                if (Key.LimitIn(unit) is { } limit && Key.LimitRemaining(unit, Now) is { } left)
                    yield return (limit - left, limit);
            }
        }
    }

    /// <summary>The period of its limits, in words; null where it has none.</summary>
    public string? Period =>
        Key.LimitReset switch
        {
            LimitReset.None => null,
            LimitReset.Daily => "a day",
            LimitReset.Weekly => "a week",
            LimitReset.Monthly => "a month",
        };

    /// <summary>Its state in a word, and how that is to be taken.</summary>
    public (string Word, string? Tone) State =>
        Key.RevokedAt is not null ? ("Revoked", "bad")
        : Key.Disabled ? ("Paused", "warn")
        : Key.ExpiresAt <= Now ? ("Expired", "bad")
        : Works ? ("Active", "good")
        : ("Stopped with its minter", "warn");

    /// <summary>Which models it may call, in a few words.</summary>
    public string Models =>
        Key.Kind == KeyKind.Provisioning ? "–"
        : Key.AllowedModels.IsDefaultOrEmpty ? "All models"
        : Key.AllowedModels.Length == 1 ? Key.AllowedModels[0]
        : Show.Count(Key.AllowedModels.Length, "model", "models");

    /// <summary>How often it may call, in words; null where that is each route's own.</summary>
    public string? Rate => Key.RateLimit is { } rate ? WordsOf(rate) : null;

    /// <summary>A rate limit in words.</summary>
    public static string WordsOf(KeyRateLimit rate)
    {
        ArgumentNullException.ThrowIfNull(rate);
        return rate.Unlimited
            ? "As often as it likes"
            : $"{Show.Count(rate.Burst, "request", "requests")} at once, {Show.Rate(rate.RefillPerSecond)} a second";
    }

    /// <summary>What may be told of its secret.</summary>
    public string Masked => $"{Key.Prefix}_live_…{Key.LastFour}";
}

/// <summary>One key with what can be done to it.</summary>
/// <param name="Line">The key.</param>
/// <param name="Models">The models that are priced, as calls name them.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record KeyModel(KeyLine Line, IReadOnlyList<string> Models, FormPost Form, string? Problem = null, string? Notice = null);

/// <summary>A key that is to be made.</summary>
/// <param name="Models">The models that are priced, as calls name them.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
public sealed record NewKeyModel(IReadOnlyList<string> Models, FormPost Form, string? Problem = null);

/// <summary>A secret, this once.</summary>
/// <param name="Key">Whose.</param>
/// <param name="Secret">The secret; null where the form was sent before, and its answer had it.</param>
/// <param name="IsNew">Whether the key is new, not just its secret.</param>
/// <param name="Server">This server's address.</param>
public sealed record SecretModel(Key Key, string? Secret, bool IsNew, Uri Server);
