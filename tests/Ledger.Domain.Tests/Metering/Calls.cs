using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests.Metering;

/// <summary>Short forms of calls: what is asked, what it holds, what it comes to. Dollars are in parts, 10⁻⁹ of one.</summary>
public static class Calls
{
    public const string Route = "chat/completions";

    /// <summary>280 parts of a dollar per token that goes in, 1,100 per token that comes out.</summary>
    public const string DeepSeek = "deepseek/deepseek-chat";

    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    public static readonly KeyId OnQuota = new("key0000000000009");

    public static Amount Usd(long parts) => new(parts, Unit.Usd);

    public static PocketShare Part(int pocket, long parts) => new(new(pocket), parts);

    /// <summary>Prepaid dollars, in parts.</summary>
    public static CreditsGranted Prepaid(int pocket, long parts) =>
        new(new(pocket), Usd(parts), PocketSource.Prepaid, null, null, "operator", $"payment-{pocket}", null);

    /// <summary>A thousand tokens in and a hundred out, unless something else is said.</summary>
    public static CallAsk Ask(string model = DeepSeek, long input = 1_000, long? output = 100) =>
        new(model, CallPayment.QuotaOrBalance, input, output);

    public static PlaceCallHold Place(CallAsk? ask = null, KeyId? key = null, string reference = "c1") =>
        new(Scenario.Alice, key ?? Scenario.Main, Route, reference, ask ?? Ask(), Lifetime);

    public static Guid IdOf(string reference = "c1") => EventIds.Call(Scenario.Alice, Route, reference);

    public static HoldId HoldOf(string reference = "c1") => new(IdOf(reference));

    public static SettleCall Settle(
        TokenUse tokens,
        string model = DeepSeek,
        string reference = "c1",
        Guid? successor = null,
        CallOutcome outcome = CallOutcome.Completed
    ) => new(Scenario.Alice, HoldOf(reference), Record(tokens, model, outcome), successor);

    public static CallRecord Record(TokenUse tokens, string model = DeepSeek, CallOutcome outcome = CallOutcome.Completed) =>
        new(model.Split('/')[0], model.Split('/')[1], tokens, false, outcome, 1_200, 300, """{"total_tokens": 1}""");

    /// <summary>Fresh input and output.</summary>
    public static TokenUse Used(long input, long output) => new(input, 0, 0, 0, output);

    public static ReleaseHold ReleaseByServer(string reference = "c1") => new(Scenario.Alice, null, HoldOf(reference));

    public static ReleaseHold ReleaseByTool(string reference = "c1") => new(Scenario.Alice, Scenario.Main, HoldOf(reference));

    public static SettleHold SettleByTool(long units, string reference = "c1") =>
        new(Scenario.Alice, Scenario.Main, HoldOf(reference), Quantity.Of(units));

    public static ExtendHold Extend(DateTimeOffset until, string reference = "c1") => new(Scenario.Alice, HoldOf(reference), until);

    /// <summary>What a call's hold is stored as.</summary>
    public static HoldPlaced Held(
        CallAsk ask,
        Amount amount,
        string entry,
        long most,
        PocketShare[] allocated,
        string? scope = null,
        QuotaShare? quota = null,
        string reference = "c1",
        KeyId? key = null,
        DateTimeOffset? at = null,
        long card = 1
    ) =>
        new(
            key ?? Scenario.Main,
            Route,
            Quantity.Of(ask.Input + (most * ask.Choices)),
            amount,
            default,
            card,
            entry,
            reference,
            [.. allocated],
            (at ?? Scenario.Noon) + Lifetime,
            new(ask.Model, ask.Input, most, scope, quota, ask.Digest)
        );

    /// <summary>What a call's charge is stored as.</summary>
    public static HoldSettled Settled(
        TokenUse tokens,
        Amount charged,
        string entry,
        PocketShare[] fromHold,
        PocketShare[]? fromAvailable = null,
        Amount? debt = null,
        string model = DeepSeek,
        QuotaShare? quota = null,
        string reference = "c1",
        KeyId? key = null,
        DateTimeOffset? heldAt = null,
        long card = 1,
        CallOutcome outcome = CallOutcome.Completed
    ) =>
        new(
            HoldOf(reference),
            key ?? Scenario.Main,
            Route,
            Quantity.Of(tokens.Total),
            charged,
            card,
            entry,
            reference,
            [.. fromHold],
            [.. fromAvailable ?? []],
            debt,
            heldAt ?? Scenario.Noon,
            Record(tokens, model, outcome) with
            {
                Quota = quota,
            }
        );

    /// <summary>What a call's late charge is stored as.</summary>
    public static HoldSettledLate SettledLate(
        TokenUse tokens,
        Amount charged,
        string entry,
        PocketShare[] paid,
        Amount? debt = null,
        QuotaShare? quota = null,
        KeyId? key = null,
        DateTimeOffset? heldAt = null
    ) =>
        new(
            HoldOf(),
            key ?? Scenario.Main,
            Route,
            Quantity.Of(tokens.Total),
            charged,
            1,
            entry,
            "c1",
            [.. paid],
            debt,
            heldAt ?? Scenario.Noon,
            Record(tokens) with
            {
                Quota = quota,
            }
        );
}
