using Ledger.Api.Dashboard.Credits;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dashboard.Packs;

/// <summary>Packs.</summary>
/// <param name="Owned">Those that the account owns, newest first.</param>
/// <param name="Total">How many that is on all pages.</param>
/// <param name="First">Where the first page of them is; null where this is it.</param>
/// <param name="Next">Where the next page of them is; null where this is the last.</param>
/// <param name="Offers">Those that are sold.</param>
/// <param name="IsSandbox">Whether nobody really pays here.</param>
/// <param name="Outcome">What one has come back from; null for nothing.</param>
/// <param name="Notice">What else there is to be said; null for nothing.</param>
/// <param name="Problem">What went wrong; null for nothing.</param>
public sealed record PacksModel(
    IReadOnlyList<OwnedLine> Owned,
    int Total,
    string? First,
    string? Next,
    IReadOnlyList<OfferLine> Offers,
    bool IsSandbox,
    OrderLine? Outcome,
    string? Notice,
    string? Problem
);

/// <summary>A pack that the account owns.</summary>
/// <param name="Pocket">What is in it.</param>
/// <param name="Order">By what it was bought; null where it was given.</param>
/// <param name="Tokens">About how many tokens that is; null where it has no price any more.</param>
/// <param name="Status"><c>ACTIVE</c>, <c>EXHAUSTED</c> or <c>EXPIRED</c>.</param>
public sealed record OwnedLine(Pocket Pocket, Order? Order, long? Tokens, string Status)
{
    /// <summary>How it is, and how that is to be taken.</summary>
    public (string Word, string? Tone) Badge =>
        Status switch
        {
            "ACTIVE" => ("Active", "good"),
            "EXHAUSTED" => ("Used up", null),
            _ => ("Expired", null),
        };
}

/// <summary>A pack that is sold.</summary>
/// <param name="Pack">Its entry of the price list.</param>
/// <param name="Price">What it costs.</param>
/// <param name="Credits">What it opens with.</param>
/// <param name="Tokens">About how many tokens that is.</param>
public sealed record OfferLine(PricedPack Pack, Amount Price, Amount Credits, long? Tokens);
