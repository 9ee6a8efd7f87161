using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>Accounts that were searched for.</summary>
/// <param name="Query">What was searched for; empty for all.</param>
/// <param name="Accounts">Those found, in the order of their ids.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
/// <param name="Problem">What is wrong with the search; null for nothing.</param>
/// <param name="Wider">Where all are whose address contains what was searched for; null where these are they.</param>
public sealed record AccountSearchModel(
    string Query,
    IReadOnlyList<AccountListing> Accounts,
    string? First,
    string? Next,
    string? Problem,
    string? Wider = null
);

/// <summary>One account as the operator sees it. Long lists in pages.</summary>
/// <param name="Account">The account, with what is due lapsed.</param>
/// <param name="Email">The person's address; null where it is not known.</param>
/// <param name="Balances">What there is, by unit.</param>
/// <param name="Pockets">The pockets with something in them, in the order in which they pay.</param>
/// <param name="Holds">The holds that are open, newest first.</param>
/// <param name="Keys">The keys, newest first.</param>
/// <param name="Orders">The orders, newest first.</param>
/// <param name="Refused">What it was refused in the last seven days, by code, the most first.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record OperatorAccountModel(
    Account Account,
    string? Email,
    IReadOnlyList<AccountBalance> Balances,
    IReadOnlyList<Pocket> Pockets,
    Newest<Hold> Holds,
    Newest<KeyUse> Keys,
    Newest<Order> Orders,
    IReadOnlyList<RefusedLine> Refused,
    string? Notice
);

/// <summary>What there is in a unit, packs apart.</summary>
/// <param name="Available">What may be spent now.</param>
/// <param name="Held">What is set aside.</param>
/// <param name="Debt">What is owed.</param>
public sealed record AccountBalance(Amount Available, Amount Held, Amount Debt);

/// <summary>A page of many, newest first.</summary>
/// <param name="Shown">Those that are shown.</param>
/// <param name="Total">How many there are.</param>
/// <param name="First">Where the newest are; null where these are they.</param>
/// <param name="Next">Where older ones are; null where there are none.</param>
public sealed record Newest<T>(IReadOnlyList<T> Shown, int Total, string? First, string? Next);

/// <summary>How often something was refused.</summary>
/// <param name="Code">Why.</param>
/// <param name="Count">How often.</param>
public sealed record RefusedLine(string Code, long Count);

/// <summary>A grant that is being written.</summary>
/// <param name="Account">Who gets it.</param>
/// <param name="Email">The person's address; null where it is not known.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
public sealed record GrantModel(AccountId Account, string? Email, FormPost Form, string? Problem = null);

/// <summary>A grant that waits to be confirmed.</summary>
/// <param name="Account">Who gets it.</param>
/// <param name="Email">The person's address; null where it is not known.</param>
/// <param name="Form">The form as it was sent, whose fields are sent once more.</param>
/// <param name="Grant">What would be given.</param>
/// <param name="Before">What is available in its unit now.</param>
public sealed record GrantReviewModel(AccountId Account, string? Email, FormPost Form, GrantCredits Grant, Amount Before);

/// <summary>A suspension, or its end, that waits to be confirmed.</summary>
/// <param name="Account">Whose.</param>
/// <param name="Email">The person's address; null where it is not known.</param>
/// <param name="IsSuspension">Whether it is a suspension, not its end.</param>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
public sealed record StatusModel(AccountId Account, string? Email, bool IsSuspension, FormPost Form);
