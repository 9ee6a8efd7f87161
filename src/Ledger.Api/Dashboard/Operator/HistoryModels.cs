using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>What has happened to an account, and what it had at a moment.</summary>
/// <param name="Account">The account.</param>
/// <param name="Email">The person's address; null where it is not known.</param>
/// <param name="OpenedAt">Before this it had nothing.</param>
/// <param name="Then">What it had at the moment that was asked for.</param>
/// <param name="AtText">That moment as it was asked for; null for now.</param>
/// <param name="AtFault">What is wrong with the moment that was asked for; null for nothing.</param>
/// <param name="Last">The newest of its events.</param>
/// <param name="Events">What happened, newest first.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
public sealed record HistoryModel(
    AccountId Account,
    string? Email,
    DateTimeOffset OpenedAt,
    BalanceThen Then,
    string? AtText,
    string? AtFault,
    long Last,
    IReadOnlyList<HistoryLine> Events,
    string? First,
    string? Next
)
{
    /// <summary>Which of its events these are, in words.</summary>
    public string Place =>
        Events.Count == 0
            ? "None"
            : $"{Show.Number(Events[0].Version)} to {Show.Number(Events[^1].Version)} of {Show.Number(Last)}, newest first, UTC";
}

/// <summary>What an account had at a moment.</summary>
/// <param name="At">The moment.</param>
/// <param name="Version">The last of its events by then.</param>
/// <param name="Status">Its state then.</param>
/// <param name="Balances">What there was, by unit.</param>
/// <param name="Pockets">The pockets that had something in them, in the order in which they paid.</param>
public sealed record BalanceThen(
    DateTimeOffset At,
    long Version,
    AccountStatus Status,
    IReadOnlyList<AccountBalance> Balances,
    IReadOnlyList<Pocket> Pockets
)
{
    /// <summary>Its state in a word.</summary>
    public string StatusWord =>
        Status switch
        {
            AccountStatus.Missing => "Not opened yet",
            AccountStatus.Open => "Open",
            AccountStatus.Suspended => "Suspended",
        };
}

/// <summary>One event.</summary>
/// <param name="Version">Its place in the account's stream.</param>
/// <param name="At">When it was recorded.</param>
/// <param name="Type">Its stored name.</param>
/// <param name="Words">What it says.</param>
/// <param name="Actor">Who did it.</param>
/// <param name="Request">The request that did it; null where none did.</param>
/// <param name="Json">It as it is stored, with its hash.</param>
public sealed record HistoryLine(long Version, DateTimeOffset At, string Type, string Words, string Actor, string? Request, string Json);
