using System.Collections.Immutable;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Projections.Keys;

namespace Ledger.Api.Keys;

/// <summary>Between the key object, which is the same in every dialect, and the ledger's words. Pure: what is wrong with a request is noted, nothing is looked up.</summary>
internal static class KeyTranslation
{
    /// <summary>How many models a key may name.</summary>
    public const int MaxModels = 100;

    /// <summary>The longest name of a model.</summary>
    public const int MaxModel = 260;

    private const int MaxName = 100;
    private const int MaxEnvironment = 50;
    private static readonly TimeSpan DefaultGrace = TimeSpan.FromDays(1);

    /// <summary>A key to be created; without meaning where faults were noted.</summary>
    /// <param name="account">Whose.</param>
    /// <param name="id">Its new id.</param>
    /// <param name="secret">Its new secret.</param>
    /// <param name="standard">What pays for its calls where the request does not say.</param>
    /// <param name="body">The request.</param>
    /// <param name="faults">Where faults are noted.</param>
    public static CreateKey ToCreate(
        AccountId account,
        KeyId id,
        KeySecret secret,
        KeyBilling standard,
        JsonMembers body,
        JsonFaults faults
    )
    {
        var name = body.Text("name", MaxName, required: true);
        var environment = body.Text("environment", MaxEnvironment);
        var kind = body.Choice("kind", false, ("inference", KeyKind.Inference), ("provisioning", KeyKind.Provisioning));
        var billing = body.Choice("billing", false, ("pay_per_token", KeyBilling.PayPerToken), ("subscription", KeyBilling.Subscription));
        var limit = Limit(body, "limit", Unit.Credits, faults);
        var limitUsd = Limit(body, "limit_usd", Unit.Usd, faults);
        var reset = Reset(body);
        var models = Models(body, faults);
        var rate = RateLimit(body, faults);
        var expiresAt = body.Time("expires_at");
        body.End();
        return new(
            account,
            id,
            name ?? "",
            kind ?? KeyKind.Inference,
            billing ?? standard,
            environment,
            secret.Hash.ToString(),
            secret.Prefix,
            secret.LastFour,
            limit,
            limitUsd,
            reset ?? LimitReset.None,
            models,
            rate,
            expiresAt
        );
    }

    /// <summary>What is to change about a key: the members that are there; a null takes away what can be absent.</summary>
    public static KeyChange ToChange(JsonMembers body, JsonFaults faults)
    {
        var names = ((string[])["environment", "limit", "limit_usd", "allowed_models", "rate_limit", "expires_at"])
            .Where(body.Has)
            .ToHashSet();
        foreach (var name in ((string[])["name", "limit_reset", "disabled"]).Where(body.IsNull))
            faults.Add(name, "must not be null");
        var change = new KeyChange(
            body.Text("name", MaxName) is { } called ? new Change<string>(called) : null,
            Given("environment", body.Text("environment", MaxEnvironment)),
            Given("limit", Limit(body, "limit", Unit.Credits, faults)),
            Given("limit_usd", Limit(body, "limit_usd", Unit.Usd, faults)),
            Reset(body) is { } reset ? new Change<LimitReset>(reset) : null,
            Given("allowed_models", Models(body, faults)),
            Given("rate_limit", RateLimit(body, faults)),
            Given("expires_at", body.Time("expires_at")),
            body.Flag("disabled") is { } disabled ? new Change<bool>(disabled) : null
        );
        body.End();
        return change;

        Change<T>? Given<T>(string name, T value) => names.Contains(name) ? new Change<T>(value) : null;
    }

    /// <summary>How long the secret before works on.</summary>
    public static TimeSpan ToGrace(JsonMembers body)
    {
        var seconds = body.Whole("grace_seconds", 0, (long)RotateKey.MaxGrace.TotalSeconds);
        body.End();
        return seconds is { } some ? TimeSpan.FromSeconds(some) : DefaultGrace;
    }

    /// <summary>One key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="usage">What it was charged.</param>
    /// <param name="lastUsed">When it was last used, where that is known.</param>
    /// <param name="now">The time of the answer.</param>
    /// <param name="secret">The secret, in the answer to its creation or rotation only.</param>
    public static KeyView ToView(Key key, KeyUsagePeriods usage, DateTimeOffset? lastUsed, DateTimeOffset now, string? secret = null) =>
        new(
            secret,
            key.Id.Value,
            key.Name,
            key.Environment,
            key.Kind switch
            {
                KeyKind.Inference => "inference",
                KeyKind.Provisioning => "provisioning",
            },
            key.Billing switch
            {
                KeyBilling.PayPerToken => "pay_per_token",
                KeyBilling.Subscription => "subscription",
            },
            ToWhole(key.Limit),
            ToWhole(key.LimitUsd),
            key.LimitReset switch
            {
                LimitReset.None => "none",
                LimitReset.Daily => "daily",
                LimitReset.Weekly => "weekly",
                LimitReset.Monthly => "monthly",
            },
            ToWhole(key.LimitRemaining(Unit.Credits, now) ?? key.LimitRemaining(Unit.Usd, now)),
            key.AllowedModels,
            key.RateLimit switch
            {
                null => null,
                { Unlimited: true } => JsonDocument.Parse("\"unlimited\"").RootElement,
                var limit => JsonSerializer.SerializeToElement(
                    new(limit.Burst, (decimal)limit.RefillPerSecond.Nanos / 1_000_000_000),
                    KeyJson.Default.RateLimitView
                ),
            },
            key.ExpiresAt,
            key.Disabled || key.RevokedAt is not null,
            key.CreatedAt,
            lastUsed,
            key.LastFour,
            new(ToCredits(usage.Total), ToCredits(usage.Day), ToCredits(usage.Week), ToCredits(usage.Month))
        );

    /// <summary>A page of keys, oldest first: those after the one that the cursor names; null where it names none. It may name one that was revoked since.</summary>
    /// <param name="account">The account.</param>
    /// <param name="revoked">Whether revoked keys are listed.</param>
    /// <param name="cursor">The last key of the page before; null for the first page.</param>
    /// <param name="limit">How many.</param>
    public static (IReadOnlyList<Key> Page, string? Next)? Page(Account account, bool revoked, string? cursor, int limit)
    {
        IEnumerable<Key> rest = KeyDesk.KeysOf(account, revoked: true);
        if (cursor is not null)
        {
            rest = rest.SkipWhile(key => key.Id.Value != cursor);
            if (!rest.Any())
                return null;
            rest = rest.Skip(1);
        }

        var page = rest.Where(key => revoked || key.RevokedAt is null).Take(limit + 1).ToList();
        return page.Count > limit ? (page[..limit], page[limit - 1].Id.Value) : (page, null);
    }

    private static LimitReset? Reset(JsonMembers body) =>
        body.Choice(
            "limit_reset",
            false,
            ("none", LimitReset.None),
            ("daily", LimitReset.Daily),
            ("weekly", LimitReset.Weekly),
            ("monthly", LimitReset.Monthly)
        );

    private static ImmutableArray<string> Models(JsonMembers body, JsonFaults faults)
    {
        var models = body.Texts("allowed_models", MaxModels, MaxModel, required: false);
        if (models.Where(model => model.Length > 0).CountBy(model => model, StringComparer.Ordinal).Any(count => count.Value > 1))
            faults.Add("allowed_models", "must name each model only once");
        return [.. models];
    }

    private static Amount? Limit(JsonMembers body, string member, Unit unit, JsonFaults faults)
    {
        if (body.Number(member) is not { } text)
            return null;
        if (Amount.TryParse(text, unit, out var amount) && amount.IsPositive)
            return amount;
        faults.Add(
            member,
            unit switch
            {
                Unit.Credits => "must be a number of credits above 0 and up to 1000000000000, with at most six decimal places",
                Unit.Usd => "must be a number of dollars above 0 and up to 1000000000, with at most nine decimal places",
            }
        );
        return null;
    }

    private static KeyRateLimit? RateLimit(JsonMembers body, JsonFaults faults)
    {
        if (body.Take("rate_limit") is not { } value)
            return null;
        if (JsonMembers.TextOf(value) == "unlimited")
            return new(0, default, true);
        if (value.ValueKind != JsonValueKind.Object)
        {
            faults.Add("rate_limit", "must be an object of burst and refill_per_second, or \"unlimited\"");
            return null;
        }

        var members = new JsonMembers(value, "rate_limit", faults);
        var burst = members.Whole("burst", 1, 1_000_000, required: true);
        var refill = default(Quantity);
        if (
            members.Number("refill_per_second", required: true) is { } text
            && !(Quantity.TryParse(text, out refill) && refill.IsPositive && refill.Nanos <= Quantity.Of(1_000_000).Nanos)
        )
            faults.Add(members.At("refill_per_second"), "must be a number above 0 and up to 1000000, with at most nine decimal places");
        members.End();
        return new((int)(burst ?? 1), refill, false);
    }

    /// <summary>Usage knows days, not moments; a key cannot have been used before it was there. For keys whose uses nobody kept yet.</summary>
    internal static DateTimeOffset? LastCharged(Key key, KeyUsagePeriods usage)
    {
        if (usage.LastDay is not { } day)
            return null;
        var start = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
        return start > key.CreatedAt ? start : key.CreatedAt;
    }

    /// <summary>Credits or dollars, as limits count them. Only the wire's spelling: 64 bits over a power of ten are exact in a decimal.</summary>
    private static decimal? ToWhole(Amount? amount) => amount is { } some ? (decimal)some.Parts / some.Unit.PartsPerWhole() : null;

    private static decimal ToCredits(long parts) => (decimal)parts / Unit.Credits.PartsPerWhole();
}
