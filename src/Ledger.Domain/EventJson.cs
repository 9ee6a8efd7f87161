using System.Text.Json.Serialization;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Wallets;

namespace Ledger.Domain;

/// <summary>The stored form of every event: camel case, no nulls, enums by name, no discriminator.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true
)]
[JsonSerializable(typeof(AccountOpened))]
[JsonSerializable(typeof(AccountSuspended))]
[JsonSerializable(typeof(AccountReinstated))]
[JsonSerializable(typeof(KeyCreated))]
[JsonSerializable(typeof(KeyChanged))]
[JsonSerializable(typeof(KeyRotated))]
[JsonSerializable(typeof(KeyRevoked))]
[JsonSerializable(typeof(SignedOut))]
[JsonSerializable(typeof(SignInsEnded))]
[JsonSerializable(typeof(ReferralApplied))]
[JsonSerializable(typeof(ReferralRewarded))]
[JsonSerializable(typeof(CreditsGranted))]
[JsonSerializable(typeof(CreditsSpent))]
[JsonSerializable(typeof(HoldPlaced))]
[JsonSerializable(typeof(HoldSettled))]
[JsonSerializable(typeof(HoldReleased))]
[JsonSerializable(typeof(HoldExpired))]
[JsonSerializable(typeof(HoldSettledLate))]
[JsonSerializable(typeof(SpendReversed))]
[JsonSerializable(typeof(PocketExpired))]
[JsonSerializable(typeof(DebtRepaid))]
[JsonSerializable(typeof(RateCardPublished))]
public sealed partial class EventJson : JsonSerializerContext;
