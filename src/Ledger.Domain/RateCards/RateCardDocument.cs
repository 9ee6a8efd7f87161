using System.Text.Json.Serialization;
using Ledger.Domain.Money;

namespace Ledger.Domain.RateCards;

/// <summary>The price list as operators write it: the contents of <c>rate-card.json</c> and of <c>PUT /admin/rate-card</c>.</summary>
/// <param name="Tools">Tools by name, priced per unit of work.</param>
/// <param name="Services">Services by name, priced by multiplier; each is a tool too.</param>
/// <param name="Models">Models by provider and model, priced per million tokens.</param>
/// <param name="Aliases">Logical model names; one may end in <c>*</c>.</param>
/// <param name="Packs">Prepaid bundles for one provider/model.</param>
/// <param name="Tiers">Subscription levels.</param>
/// <param name="Payg">Terms of buying credits as one goes.</param>
/// <param name="Topup">Terms of paying dollars in.</param>
/// <param name="Referral">What both sides of a referral get.</param>
public sealed record RateCardDocument(
    IReadOnlyList<PricedTool> Tools,
    IReadOnlyList<PricedTool> Services,
    IReadOnlyList<PricedModel> Models,
    IReadOnlyDictionary<string, string> Aliases,
    IReadOnlyList<PricedPack> Packs,
    IReadOnlyList<PricedTier> Tiers,
    PaygTerms Payg,
    TopupTerms Topup,
    ReferralTerms Referral
);

/// <summary>One tool or service.</summary>
/// <param name="Name">What callers name it.</param>
/// <param name="Per">What one unit of it is, such as <c>turn</c>, <c>minute</c> or <c>30s</c>.</param>
/// <param name="Credits">Credits per unit; zero is a price.</param>
public sealed record PricedTool(string Name, string Per, Quantity Credits);

/// <summary>One model of one provider.</summary>
/// <param name="Provider">The provider's name in the configuration.</param>
/// <param name="Model">What callers name it.</param>
/// <param name="UpstreamModel">What the provider names it.</param>
/// <param name="UsdPer1m">Dollars per million tokens, by class.</param>
/// <param name="MaxOutputTokens">The most it can answer with.</param>
/// <param name="ContextTokens">The most it can read.</param>
/// <param name="Fallbacks">The entries to try next, as <c>provider/model</c>.</param>
public sealed record PricedModel(
    string Provider,
    string Model,
    string UpstreamModel,
    [property: JsonPropertyName("usd_per_1m")] TokenPrices UsdPer1m,
    int MaxOutputTokens,
    int ContextTokens,
    IReadOnlyList<string> Fallbacks
);

/// <summary>Prices per million tokens of each class.</summary>
/// <param name="Input">Fresh input.</param>
/// <param name="Output">Output.</param>
/// <param name="CacheRead">Input read from a cache.</param>
/// <param name="CacheWrite">Input written to a cache for five minutes.</param>
/// <param name="CacheWrite1h">Input written to a cache for an hour.</param>
public sealed record TokenPrices(
    Quantity Input,
    Quantity Output,
    Quantity CacheRead,
    Quantity CacheWrite,
    [property: JsonPropertyName("cache_write_1h")] Quantity CacheWrite1h
);

/// <summary>One prepaid bundle.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Provider">The provider it is for.</param>
/// <param name="Model">The model it is for.</param>
/// <param name="Credits">How many credits it opens with.</param>
/// <param name="CreditsPer1m">Credits per million tokens.</param>
/// <param name="PriceUsd">What it costs.</param>
/// <param name="ValidDays">How long it lasts.</param>
public sealed record PricedPack(
    string Id,
    string Provider,
    string Model,
    Quantity Credits,
    [property: JsonPropertyName("credits_per_1m")] PackPrices CreditsPer1m,
    Quantity PriceUsd,
    int ValidDays
);

/// <summary>A pack's own prices.</summary>
/// <param name="Input">Credits per million input tokens.</param>
/// <param name="Output">Credits per million output tokens.</param>
public sealed record PackPrices(Quantity Input, Quantity Output);

/// <summary>One subscription level.</summary>
/// <param name="Id">Its name.</param>
/// <param name="PriceUsd">What a month costs.</param>
/// <param name="CreditsPerMonth">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per 24 hours.</param>
/// <param name="Proration">
/// What changing to this level within a period comes to: <c>time</c> (the default) charges and grants the difference for the rest of the period,
/// <c>none</c> neither, until the next one.
/// </param>
public sealed record PricedTier(
    string Id,
    Quantity PriceUsd,
    Quantity CreditsPerMonth,
    [property: JsonPropertyName("tokens_per_24h")] long TokensPer24h,
    string? Proration = null
);

/// <summary>Terms of buying credits as one goes.</summary>
/// <param name="CreditsPerDollar">The rate.</param>
/// <param name="MinAmountUsd">The least one may buy for, in whole dollars.</param>
/// <param name="MaxAmountUsd">The most one may buy for, in whole dollars.</param>
/// <param name="Currency">ISO 4217.</param>
public sealed record PaygTerms(Quantity CreditsPerDollar, int MinAmountUsd, int MaxAmountUsd, string Currency);

/// <summary>Terms of paying dollars in.</summary>
/// <param name="MinAmountUsd">The least, in whole dollars.</param>
/// <param name="MaxAmountUsd">The most, in whole dollars.</param>
public sealed record TopupTerms(int MinAmountUsd, int MaxAmountUsd);

/// <summary>What both sides of a referral get.</summary>
/// <param name="ReferrerCredits">Credits to who referred.</param>
/// <param name="ReferredCredits">Credits to who came.</param>
public sealed record ReferralTerms(Quantity ReferrerCredits, Quantity ReferredCredits);

/// <summary>Reads and writes the document: snake_case, nothing unknown, nothing twice.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    AllowDuplicateProperties = false,
    WriteIndented = true
)]
[JsonSerializable(typeof(RateCardDocument))]
public sealed partial class RateCardJson : JsonSerializerContext;
