using System.Text.Json.Serialization;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
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
[JsonSerializable(typeof(HoldExtended))]
[JsonSerializable(typeof(HoldSettled))]
[JsonSerializable(typeof(HoldReleased))]
[JsonSerializable(typeof(HoldExpired))]
[JsonSerializable(typeof(HoldSettledLate))]
[JsonSerializable(typeof(SpendReversed))]
[JsonSerializable(typeof(PocketExpired))]
[JsonSerializable(typeof(DebtRepaid))]
[JsonSerializable(typeof(CreditsClawedBack))]
[JsonSerializable(typeof(ClawbackReturned))]
[JsonSerializable(typeof(CustomerLinked))]
[JsonSerializable(typeof(OrderOpened))]
[JsonSerializable(typeof(OrderSessionOpened))]
[JsonSerializable(typeof(OrderPaid))]
[JsonSerializable(typeof(OrderFailed))]
[JsonSerializable(typeof(OrderExpired))]
[JsonSerializable(typeof(OrderRefunded))]
[JsonSerializable(typeof(OrderDisputed))]
[JsonSerializable(typeof(DisputeWon))]
[JsonSerializable(typeof(PaymentMismatched))]
[JsonSerializable(typeof(AutoTopupSet))]
[JsonSerializable(typeof(AlertsSet))]
[JsonSerializable(typeof(BalanceLevelChanged))]
[JsonSerializable(typeof(SubscriptionStarted))]
[JsonSerializable(typeof(SubscriptionReset))]
[JsonSerializable(typeof(SubscriptionChanged))]
[JsonSerializable(typeof(SubscriptionChangeScheduled))]
[JsonSerializable(typeof(SubscriptionKept))]
[JsonSerializable(typeof(SubscriptionEndScheduled))]
[JsonSerializable(typeof(SubscriptionEnded))]
[JsonSerializable(typeof(RateCardPublished))]
public sealed partial class EventJson : JsonSerializerContext;
