using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Http;

namespace Ledger.Api.Keys;

/// <summary>Creates a key.</summary>
/// <param name="Name">1 to 100 characters.</param>
/// <param name="Environment">A label, such as <c>production</c>.</param>
/// <param name="Kind"><c>inference</c> (where it is left out) or <c>provisioning</c>.</param>
/// <param name="Billing"><c>pay_per_token</c> (where it is left out) or <c>subscription</c>.</param>
/// <param name="Limit">The most credits per period.</param>
/// <param name="LimitUsd">The most dollars per period.</param>
/// <param name="LimitReset"><c>none</c> (where it is left out), <c>daily</c>, <c>weekly</c> or <c>monthly</c>, at 00:00 UTC, weeks from Monday.</param>
/// <param name="AllowedModels">The models it may call; all where it is left out or empty.</param>
/// <param name="RateLimit"><c>{"burst","refill_per_second"}</c> or <c>"unlimited"</c>; each route's own where it is left out.</param>
/// <param name="ExpiresAt">When it stops working; never where it is left out.</param>
public sealed record CreateKeyRequest(
    string Name,
    string? Environment,
    string? Kind,
    string? Billing,
    decimal? Limit,
    decimal? LimitUsd,
    string? LimitReset,
    IReadOnlyList<string>? AllowedModels,
    JsonElement? RateLimit,
    DateTimeOffset? ExpiresAt
);

/// <summary>Changes a key: each member that is there; a null takes a limit, a label or an expiry away.</summary>
/// <param name="Name">1 to 100 characters.</param>
/// <param name="Environment">A label, such as <c>production</c>; null for none.</param>
/// <param name="Limit">The most credits per period; null for no limit.</param>
/// <param name="LimitUsd">The most dollars per period; null for no limit.</param>
/// <param name="LimitReset"><c>none</c>, <c>daily</c>, <c>weekly</c> or <c>monthly</c>. Another period counts from now on.</param>
/// <param name="AllowedModels">The models it may call; empty for all.</param>
/// <param name="RateLimit"><c>{"burst","refill_per_second"}</c> or <c>"unlimited"</c>; null for each route's own.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="Disabled">Whether it rests.</param>
public sealed record ChangeKeyRequest(
    string? Name,
    string? Environment,
    decimal? Limit,
    decimal? LimitUsd,
    string? LimitReset,
    IReadOnlyList<string>? AllowedModels,
    JsonElement? RateLimit,
    DateTimeOffset? ExpiresAt,
    bool? Disabled
);

/// <summary>Gives a key a new secret.</summary>
/// <param name="GraceSeconds">How long the secret before works too: 0 to 2,592,000 (30 days); a day where it is left out.</param>
public sealed record RotateKeyRequest(long? GraceSeconds);

/// <summary>A page of keys.</summary>
/// <param name="Data">Oldest first, revoked ones too.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record KeyList(IReadOnlyList<KeyView> Data, string? Next);

/// <summary>One key.</summary>
/// <param name="Key">The secret; only in the answer to its creation.</param>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Environment">Its label; null for none.</param>
/// <param name="Kind"><c>inference</c> or <c>provisioning</c>.</param>
/// <param name="Billing"><c>pay_per_token</c> or <c>subscription</c>.</param>
/// <param name="Limit">The most credits per period; null for no limit.</param>
/// <param name="LimitUsd">The most dollars per period; null for no limit.</param>
/// <param name="LimitReset">The period.</param>
/// <param name="LimitRemaining">What this period's limit leaves: credits where <c>limit</c> is set, else dollars where <c>limit_usd</c> is; else null.</param>
/// <param name="AllowedModels">The models it may call; empty for all.</param>
/// <param name="RateLimit"><c>{"burst","refill_per_second"}</c> or <c>"unlimited"</c>; null for each route's own.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="Disabled">Whether it rests, or was revoked.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="LastUsedAt">When it was last used, to some seconds; null before the first time.</param>
/// <param name="LastFour">The last four characters of the secret.</param>
/// <param name="Usage">What it was charged.</param>
public sealed record KeyView(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key,
    string Id,
    string Name,
    string? Environment,
    string Kind,
    string Billing,
    decimal? Limit,
    decimal? LimitUsd,
    string LimitReset,
    decimal? LimitRemaining,
    IReadOnlyList<string> AllowedModels,
    JsonElement? RateLimit,
    DateTimeOffset? ExpiresAt,
    bool Disabled,
    DateTimeOffset CreatedAt,
    DateTimeOffset? LastUsedAt,
    string LastFour,
    UsageView Usage
);

/// <summary>What a key was charged in credits, less what was given back, by UTC days.</summary>
/// <param name="Total">Ever.</param>
/// <param name="Day">Today.</param>
/// <param name="Week">Since Monday.</param>
/// <param name="Month">Since the first of the month.</param>
public sealed record UsageView(decimal Total, decimal Day, decimal Week, decimal Month);

/// <summary>A token bucket.</summary>
/// <param name="Burst">How many requests may come at once.</param>
/// <param name="RefillPerSecond">How many come back per second.</param>
public sealed record RateLimitView(int Burst, decimal RefillPerSecond);

/// <summary>Writes the key object as every dialect speaks it: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(KeyView))]
[JsonSerializable(typeof(KeyList))]
[JsonSerializable(typeof(RateLimitView))]
internal sealed partial class KeyJson : JsonSerializerContext;
