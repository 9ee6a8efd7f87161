using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;

namespace Ledger.Api.Decisions;

/// <summary>What was asked of the ledger, in a form that can be asked again: numbers and names, no secrets, no metadata, nothing of what a call says.</summary>
/// <param name="Kind">
/// <c>spend</c>, <c>place_hold</c>, <c>settle_hold</c>, <c>release_hold</c>, <c>place_call_hold</c> or <c>settle_call</c>; <c>access</c> for work that was
/// refused before it was looked at.
/// </param>
/// <param name="Key">With which key; null for none.</param>
/// <param name="Tool">For which tool, or on which route.</param>
/// <param name="Units">For how much.</param>
/// <param name="Reference">The caller's name for it.</param>
/// <param name="Hold">Of which hold.</param>
/// <param name="Lifetime">For how long.</param>
/// <param name="Call">For which call.</param>
/// <param name="Before">The hold of the attempt before, of the same call.</param>
/// <param name="Record">What a call came to.</param>
/// <param name="Secret">Which of the key's secrets was shown; 0 where that is not known.</param>
/// <param name="SignIn">By which sign-in; null where by a key.</param>
/// <param name="SignedInAt">When that was.</param>
internal sealed record AskedWork(
    string Kind,
    KeyId? Key = null,
    string? Tool = null,
    Quantity? Units = null,
    string? Reference = null,
    HoldId? Hold = null,
    TimeSpan? Lifetime = null,
    CallAsk? Call = null,
    HoldId? Before = null,
    CallRecord? Record = null,
    int Secret = 0,
    Guid? SignIn = null,
    DateTimeOffset? SignedInAt = null
)
{
    /// <summary>The kind of what was refused before it was looked at.</summary>
    public const string Access = "access";

    // A model's name may be as long as a request; nobody has to be told all of that.
    private const int MaxText = 1000;

    /// <summary>What a command is called: <c>spend</c>, <c>create_key</c>.</summary>
    public static string KindOf(AccountCommand command) =>
        Kinds.GetOrAdd(command.GetType(), static type => EventTypes.SnakeCase(type.Name));

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<Type, string> Kinds = new();

    /// <summary>What a command asks; null where it is not about work, or too large to be kept.</summary>
    public static AskedWork? Of(AccountCommand command)
    {
        AskedWork? asked = command switch
        {
            Spend c => new(KindOf(c), c.Key, c.Tool, c.Units, c.Reference),
            PlaceHold c => new(KindOf(c), c.Key, c.Tool, c.Units, c.Reference, Lifetime: c.Lifetime),
            SettleHold c => new(KindOf(c), c.Key, Units: c.Units, Hold: c.Hold),
            ReleaseHold { Key: { } key } c => new(KindOf(c), key, Hold: c.Hold),
            PlaceCallHold c => new(KindOf(c), c.Key, c.Route, null, c.Reference, Lifetime: c.Lifetime, Call: c.Ask, Before: c.Predecessor),
            _ => null,
        };
        if (asked is null || asked.Tool?.Length > MaxText || asked.Reference?.Length > MaxText || asked.Call?.Model.Length > MaxText)
            return null;
        return command.By is { } by ? asked.By(by) : asked;
    }

    /// <summary>Work that was refused before it was looked at.</summary>
    public static AskedWork OfAccess(in Credential by) => new AskedWork(Access, by.Key).By(by);

    /// <summary>What led to an event; null where it is not about work.</summary>
    /// <param name="fact">The event.</param>
    /// <param name="before">The account before it.</param>
    public static AskedWork? Of(in Fact fact, Account before) =>
        fact.Event switch
        {
            CreditsSpent e => new("spend", e.Key, e.Tool, e.Units, e.Reference),
            HoldPlaced { Call: null } e => new("place_hold", e.Key, e.Tool, e.Units, e.Reference, Lifetime: e.ExpiresAt - fact.At),
            HoldPlaced { Call: { } terms } e => new(
                "place_call_hold",
                e.Key,
                e.Tool,
                null,
                e.Reference,
                Lifetime: e.ExpiresAt - fact.At,
                Call: AskOf(e, terms, before.Keys.Find(e.Key))
            ),
            HoldSettled { Call: null } e => new("settle_hold", e.Key, Units: e.Units, Hold: e.Hold),
            HoldSettledLate { Call: null } e => new("settle_hold", e.Key, Units: e.Units, Hold: e.Hold),
            HoldSettled { Call: { } call } e => new("settle_call", e.Key, Hold: e.Hold, Record: call),
            HoldSettledLate { Call: { } call } e => new("settle_call", e.Key, Hold: e.Hold, Record: call),

            // A call's funds are given back by the server itself, by right of nobody.
            HoldReleased e => before.Wallet.Holds.GetValueOrDefault(e.Hold) is { Call: null } hold
                ? new("release_hold", hold.Key, Hold: e.Hold)
                : new("release_hold", Hold: e.Hold),
            _ => null,
        };

    /// <summary>The command that asks it; null where it is none.</summary>
    public AccountCommand? ToCommand(AccountId account)
    {
        var key = Key.GetValueOrDefault();
        AccountCommand? command = Kind switch
        {
            "spend" => new Spend(account, key, Tool!, Units!.Value, Reference!),
            "place_hold" => new PlaceHold(account, key, Tool!, Units!.Value, Reference!, Lifetime!.Value),
            "settle_hold" => new SettleHold(account, key, Hold!.Value, Units!.Value),
            "release_hold" => new ReleaseHold(account, Key, Hold!.Value),
            "place_call_hold" => new PlaceCallHold(account, key, Tool!, Reference!, Call!, Lifetime!.Value, Before),
            "settle_call" => new SettleCall(account, Hold!.Value, Record!),
            _ => null,
        };
        return command is null or SettleCall or ReleaseHold { Key: null } ? command : command with { By = ToCredential() };
    }

    /// <summary>By what right it was asked.</summary>
    public Credential ToCredential() => new(Key.GetValueOrDefault(), Secret, SignIn.GetValueOrDefault(), SignedInAt.GetValueOrDefault());

    /// <summary>Whether it sets out to use funds, so that it could be asked anew today.</summary>
    public bool IsUse => Kind is "spend" or "place_hold" or "place_call_hold";

    /// <summary>As text.</summary>
    public string Write() => JsonSerializer.Serialize(this, AskedJson.Default.AskedWork);

    /// <summary>Of a text.</summary>
    public static AskedWork? Read(string? text) => text is null ? null : JsonSerializer.Deserialize(text, AskedJson.Default.AskedWork);

    private AskedWork By(in Credential by) =>
        by.IsKey ? this with { Secret = by.Secret }
        : by.SignIn == default ? this
        : this with { SignIn = by.SignIn, SignedInAt = by.SignedInAt };

    /// <summary>
    /// What a call asked for, as far as the bounds that it was held for tell: of a call that was clamped, the bound it was clamped to. What might be written
    /// to a cache they do not tell.
    /// </summary>
    private static CallAsk AskOf(HoldPlaced placed, CallTerms terms, Key? key)
    {
        var payment =
            terms.Scope is not null ? CallPayment.Pack
            : key?.Billing == KeyBilling.Subscription ? CallPayment.QuotaOrBalance
            : CallPayment.Balance;
        var choices = terms.MaxOutput < 1 ? 1 : Math.Max(1, (placed.Units.Nanos / Quantity.Of(1).Nanos - terms.Input) / terms.MaxOutput);
        return new(
            terms.Asked,
            payment,
            terms.Input,
            terms.MaxOutput < 1 ? null : terms.MaxOutput,
            (int)Math.Min(choices, int.MaxValue),
            Digest: terms.Digest
        );
    }
}

/// <summary>Which limit refused, as it is kept with a refusal.</summary>
internal static class ShortfallText
{
    /// <summary>As text.</summary>
    public static string? Write(Shortfall? shortfall) =>
        shortfall is null ? null : JsonSerializer.Serialize(shortfall, AskedJson.Default.Shortfall);

    /// <summary>Of a text.</summary>
    public static Shortfall? Read(string? text) => text is null ? null : JsonSerializer.Deserialize(text, AskedJson.Default.Shortfall);
}

/// <summary>The JSON form: in camel case, without what is not there, as the log has it.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    IgnoreReadOnlyProperties = true,
    UseStringEnumConverter = true
)]
[JsonSerializable(typeof(AskedWork))]
[JsonSerializable(typeof(Shortfall))]
internal sealed partial class AskedJson : JsonSerializerContext;
