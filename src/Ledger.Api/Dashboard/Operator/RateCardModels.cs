using Ledger.Domain.RateCards;
using Ledger.Projections.Pricing;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>The rate card in force, and its versions.</summary>
/// <param name="Shown">The version that is shown; null where none was ever published.</param>
/// <param name="Source">It, as it was published.</param>
/// <param name="InForce">The version in force; null where none is.</param>
/// <param name="Versions">The versions, newest first.</param>
/// <param name="Next">Where older ones are; null where these are all.</param>
/// <param name="First">Where the newest are; null where these are they.</param>
/// <param name="Differences">What the version that is shown changed of the one before; null for the first.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record RateCardModel(
    RateCard? Shown,
    string Source,
    long? InForce,
    IReadOnlyList<RateCard> Versions,
    string? Next,
    string? First,
    IReadOnlyList<RateCardDifference>? Differences,
    string? Notice
);

/// <summary>A rate card that is being written.</summary>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Source">What stands in it at first: the card in force.</param>
/// <param name="Faults">What is wrong with the card, by place.</param>
public sealed record RateCardEditModel(FormPost Form, string Source, IReadOnlyList<(string Place, string Message)> Faults);

/// <summary>A rate card that waits to be published.</summary>
/// <param name="Form">The form as it was sent, whose fields are sent once more.</param>
/// <param name="Seen">The versions that there are, and the one that it is compared with: the one in force when it is to price.</param>
/// <param name="ReplacesScheduled">Whether the one that it is compared with is not in force yet.</param>
/// <param name="EffectiveAt">From when it is to price; null for at once.</param>
/// <param name="Later">The cards that take its place later, in that order.</param>
/// <param name="Differences">What it changes.</param>
/// <param name="Notice">What is to be said before; null for nothing.</param>
/// <param name="WhatIf">What it would have charged; null where nobody has asked yet.</param>
public sealed record RateCardReviewModel(
    FormPost Form,
    RateCardsSeen Seen,
    bool ReplacesScheduled,
    DateTimeOffset? EffectiveAt,
    IReadOnlyList<RateCard> Later,
    IReadOnlyList<RateCardDifference> Differences,
    string? Notice,
    WhatIfModel? WhatIf = null
);

/// <summary>What a rate card would have charged for what was really done.</summary>
/// <param name="Days">Of how many days, up to now.</param>
/// <param name="Totals">In all, by unit and by what paid.</param>
/// <param name="Lines">By tool or model, where it makes the most difference first.</param>
/// <param name="Left">How many lines more there are.</param>
/// <param name="Unpriced">What it has no price for: in no sum.</param>
public sealed record WhatIfModel(
    int Days,
    IReadOnlyList<WhatIfLine> Totals,
    IReadOnlyList<WhatIfLine> Lines,
    int Left,
    IReadOnlyList<WhatIfLine> Unpriced
);
