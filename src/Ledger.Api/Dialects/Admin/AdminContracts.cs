using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Http;
using Ledger.Api.Keys;

namespace Ledger.Api.Dialects.Admin;

/// <summary>Opens an account.</summary>
/// <param name="Email">The address; nobody else's, without regard to case.</param>
/// <param name="Password">8 to 200 characters; left out, nobody can sign in with one.</param>
/// <param name="Country">ISO 3166-1 alpha-2, such as <c>DE</c>.</param>
public sealed record CreateAccountRequest(string Email, string? Password, string? Country);

/// <summary>An account was opened.</summary>
/// <param name="AccountId">Its id.</param>
public sealed record AccountCreated(string AccountId);

/// <summary>A page of accounts.</summary>
/// <param name="Data">In the order of their ids.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record AccountList(IReadOnlyList<AccountLine> Data, string? Next);

/// <summary>One account of a page.</summary>
/// <param name="AccountId">Its id.</param>
/// <param name="Email">The address; null where the personal data was deleted.</param>
/// <param name="Status"><c>open</c> or <c>suspended</c>.</param>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
/// <param name="CreatedAt">When it was opened.</param>
public sealed record AccountLine(string AccountId, string? Email, string Status, string? Country, DateTimeOffset CreatedAt);

/// <summary>One account with all that it has.</summary>
/// <param name="AccountId">Its id.</param>
/// <param name="Email">The address; null where the personal data was deleted.</param>
/// <param name="Status"><c>open</c> or <c>suspended</c>.</param>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
/// <param name="CreatedAt">When it was opened.</param>
/// <param name="Balance">What it has that no pack binds.</param>
/// <param name="Pockets">The pockets with something in them, in the order in which they pay.</param>
/// <param name="Keys">Its keys, oldest first, revoked ones too.</param>
public sealed record AccountView(
    string AccountId,
    string? Email,
    string Status,
    string? Country,
    DateTimeOffset CreatedAt,
    Balances Balance,
    IReadOnlyList<PocketView> Pockets,
    IReadOnlyList<KeyView> Keys
);

/// <summary>Balances by unit; packs are not in them.</summary>
/// <param name="Credits">In credits.</param>
/// <param name="UsdMicros">In millionths of a dollar.</param>
public sealed record Balances(Balance Credits, Balance UsdMicros);

/// <summary>What an account has in one unit.</summary>
/// <param name="Posted">What is in its pockets.</param>
/// <param name="Held">What of that is set aside.</param>
/// <param name="Available">What may be spent: posted less held, and nothing while there is debt.</param>
/// <param name="Debt">What was charged and is not covered yet.</param>
public sealed record Balance(decimal Posted, decimal Held, decimal Available, decimal Debt);

/// <summary>One pocket.</summary>
/// <param name="Id">Its number in the account, from 1.</param>
/// <param name="Unit"><c>credits</c> or <c>usd_micros</c>.</param>
/// <param name="Source">Where its funds came from.</param>
/// <param name="Scope">The one provider/model that a pack is for; null for any.</param>
/// <param name="Granted">What it was opened with.</param>
/// <param name="Remaining">What is left in it.</param>
/// <param name="Held">What of that is set aside.</param>
/// <param name="ExpiresAt">When what is left lapses; null for never.</param>
/// <param name="CreatedAt">When it was opened.</param>
public sealed record PocketView(
    int Id,
    string Unit,
    string Source,
    string? Scope,
    decimal Granted,
    decimal Remaining,
    decimal Held,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset CreatedAt
);

/// <summary>Suspends or reinstates.</summary>
/// <param name="Reason">Why; stays in the account's history.</param>
public sealed record ReasonRequest(string Reason);

/// <summary>Whether an account may act.</summary>
/// <param name="AccountId">Its id.</param>
/// <param name="Status"><c>open</c> or <c>suspended</c>.</param>
public sealed record StatusView(string AccountId, string Status);

/// <summary>Gives funds.</summary>
/// <param name="Amount">More than 0, as a number or a decimal string: credits with at most six places, or whole millionths of a dollar.</param>
/// <param name="Unit"><c>credits</c> or <c>usd_micros</c>.</param>
/// <param name="Source"><c>subscription</c>, <c>payg</c>, <c>bonus</c> (credits) or <c>prepaid</c> (dollars).</param>
/// <param name="ExpiresAt">When what is left lapses; never where it is left out.</param>
/// <param name="Reason">Why; stays in the account's history.</param>
/// <param name="Reference">The operator's name for it: given once per account. At most 200 characters.</param>
public sealed record GrantRequest(decimal Amount, string Unit, string Source, DateTimeOffset? ExpiresAt, string Reason, string Reference);

/// <summary>Funds were given.</summary>
/// <param name="PocketId">The pocket that they opened.</param>
/// <param name="Amount">How much.</param>
/// <param name="Unit"><c>credits</c> or <c>usd_micros</c>.</param>
/// <param name="Source">Where they came from.</param>
/// <param name="ExpiresAt">When what is left lapses; null for never.</param>
/// <param name="Balance">What the account has in this unit now, packs apart.</param>
public sealed record GrantView(int PocketId, decimal Amount, string Unit, string Source, DateTimeOffset? ExpiresAt, Balance Balance);

/// <summary>Gives a spend back.</summary>
/// <param name="SpendId">The spend, as <c>x-ledger-spend-id</c> named it.</param>
/// <param name="Reason">Why; stays in the account's history.</param>
public sealed record ReversalRequest(Guid SpendId, string Reason);

/// <summary>A spend was given back.</summary>
/// <param name="SpendId">The spend.</param>
/// <param name="Amount">What it had cost.</param>
/// <param name="Unit"><c>credits</c> or <c>usd_micros</c>.</param>
/// <param name="Tool">For what it was spent.</param>
/// <param name="KeyId">The key that had spent it.</param>
/// <param name="Returned">Which pockets got how much back.</param>
/// <param name="DebtCleared">What of it came off the account's debt.</param>
/// <param name="Balance">What the account has in this unit now, packs apart.</param>
public sealed record ReversalView(
    Guid SpendId,
    decimal Amount,
    string Unit,
    string Tool,
    string KeyId,
    IReadOnlyList<ReturnedView> Returned,
    decimal DebtCleared,
    Balance Balance
);

/// <summary>What one pocket got back.</summary>
/// <param name="PocketId">The pocket.</param>
/// <param name="Amount">How much.</param>
public sealed record ReturnedView(int PocketId, decimal Amount);

/// <summary>The rate card in force; also what may be published.</summary>
/// <param name="Version">Its version. Read, and else without meaning, where it is published again.</param>
/// <param name="EffectiveAt">From when it prices. Where it is published: left out, at once; never in the past.</param>
/// <param name="RateCard">The document, byte for byte as it was sent.</param>
public sealed record RateCardView(long Version, DateTimeOffset EffectiveAt, JsonElement RateCard);

/// <summary>A version of the rate card.</summary>
/// <param name="Version">Its number, from 1.</param>
/// <param name="EffectiveAt">From when it prices.</param>
/// <param name="InForce">Whether it prices now.</param>
public sealed record RateCardVersion(long Version, DateTimeOffset EffectiveAt, bool InForce);

/// <summary>Every version of the rate card.</summary>
/// <param name="Data">Newest first.</param>
/// <param name="Next">Always null: they all come at once.</param>
public sealed record RateCardVersionList(IReadOnlyList<RateCardVersion> Data, string? Next);

/// <summary>The key that signs access tokens from now on.</summary>
/// <param name="KeyId">Its name, as tokens carry it.</param>
public sealed record SigningKeyView(string KeyId);

/// <summary>Writes the dialect's answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(AccountCreated))]
[JsonSerializable(typeof(AccountList))]
[JsonSerializable(typeof(AccountView))]
[JsonSerializable(typeof(StatusView))]
[JsonSerializable(typeof(GrantView))]
[JsonSerializable(typeof(SigningKeyView))]
[JsonSerializable(typeof(ReversalView))]
[JsonSerializable(typeof(RateCardVersion))]
[JsonSerializable(typeof(RateCardVersionList))]
internal sealed partial class AdminJson : JsonSerializerContext;
