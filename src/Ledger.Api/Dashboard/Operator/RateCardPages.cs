using System.Globalization;
using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Pricing;
using Ledger.Domain.RateCards;
using Ledger.Projections.Pricing;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>The price list: looked at, written anew, compared with what is in force, and published.</summary>
internal sealed class RateCardPages(RateCards cards, CardGuard guard, WhatIf whatIf, TimeProvider time)
{
    private const int PageSize = 20;
    private const int MaxLines = 100;
    private const string InTheFuture = "A time in the future; leave it empty for at once.";

    // Room for every card that the reader takes; a form's own limit stands above it.
    private const int MaxLength = 2 * 1024 * 1024;

    /// <summary>Of how many days it can be asked what a card would have charged, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> DayOptions =
    [
        ("7", "The last 7 days"),
        ("30", "The last 30 days"),
        ("90", "The last 90 days"),
    ];

    // It reads the log: one at a time is enough for whoever waits, and for the database.
    private int _isRerating;

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<RateCardPages>(services);
        operators.Page("/operator/rate-card", pages.ShowAsync);
        operators.Page("/operator/rate-card/edit", pages.EditAsync);
        operators.Form("/operator/rate-card/review", pages.ReviewAsync);

        // What is answered to a form stands under the form's address: whoever reloads it, or comes back to it, gets to write again.
        foreach (var answered in (string[])["review", "what-if", "publish"])
            operators.Page("/operator/rate-card/" + answered, _ => Task.FromResult(PageAnswer.SeeOther("/operator/rate-card/edit")));
        operators.Form("/operator/rate-card/what-if", pages.RerateAsync);
        operators.Form("/operator/rate-card/publish", pages.PublishAsync);
    }

    private async Task<PageAnswer> ShowAsync(OperatorVisit visit)
    {
        var book = await cards.ReloadAsync(visit.Gone);
        var inForce = book.InForce(Now(book));
        var all = book.Cards.Reverse().ToList();
        var shown = inForce;
        if (visit.Query("version") is { } text)
        {
            shown = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? book.Find(version) : null;
            if (shown is null)
                return PageAnswer.NotFound;
        }

        var before =
            visit.Query("before") is { } at && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var known)
                ? known
                : long.MaxValue;
        var rest = all.Where(card => card.Version < before).ToList();
        var page = rest.Take(PageSize).ToList();
        var previous = shown is null ? null : all.FirstOrDefault(card => card.Version < shown.Version);
        var notice = visit.Query("done") switch
        {
            "published" => "Published. Whatever it prices from now on is charged by it.",
            "scheduled" => "Published. It prices from the time that it says.",
            "same" => "The same card is published already; nothing was changed.",
            _ => null,
        };
        return PageAnswer.Show<RateCardPage, RateCardModel>(
            "Rate card",
            new(
                shown,
                shown?.Source ?? "",
                inForce?.Version,
                page,
                rest.Count > PageSize ? $"/operator/rate-card?before={page[^1].Version}" : null,
                before == long.MaxValue ? null : "/operator/rate-card",
                shown is null || previous is null ? null : RateCardDiff.Between(previous.Document, shown.Document),
                notice
            ),
            200,
            notice is null ? [] : ["rate-card.js"]
        );
    }

    private async Task<PageAnswer> EditAsync(OperatorVisit visit)
    {
        var book = await cards.ReloadAsync(visit.Gone);
        var start = book.InForce(Now(book));
        if (visit.Query("version") is { } text)
        {
            start = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? book.Find(version) : null;
            if (start is null)
                return PageAnswer.NotFound;
        }

        return ShowEdit(FormPost.Blank, start?.Source ?? "", [], 200);
    }

    private async Task<PageAnswer> ReviewAsync(OperatorVisit visit, FormPost form)
    {
        var (draft, problem) = await ReadAsync(visit, form);
        return draft is null ? problem! : ShowReview(draft.Review, draft.IsOutdated ? 409 : 200);
    }

    private async Task<PageAnswer> RerateAsync(OperatorVisit visit, FormPost form)
    {
        var days = form.Choice("days", ("7", 7), ("30", 30), ("90", 90));
        var (draft, problem) = await ReadAsync(visit, form);
        if (draft is null)
            return problem!;
        if (Interlocked.CompareExchange(ref _isRerating, 1, 0) != 0)
            return ShowReview(
                draft.Review with
                {
                    Notice = "The log is read for somebody's question already. Ask again in a moment.",
                },
                409
            );
        try
        {
            var card = new RateCard(0, visit.Now, draft.Document);
            var report = await whatIf.RunAsync(card, visit.Now.AddDays(-days), visit.Now, null, WhatIfGrouping.Model, null, visit.Gone);
            var lines = report.Lines.OrderByDescending(line => Int128.Abs(line.Sums.Difference)).ToList();
            return ShowReview(
                draft.Review with
                {
                    WhatIf = new(days, report.Totals, [.. lines.Take(MaxLines)], Math.Max(0, lines.Count - MaxLines), report.Unpriced),
                },
                200
            );
        }
        finally
        {
            Volatile.Write(ref _isRerating, 0);
        }
    }

    private async Task<PageAnswer> PublishAsync(OperatorVisit visit, FormPost form)
    {
        var (draft, problem) = await ReadAsync(visit, form);
        if (draft is null)
            return problem!;
        var (command, book) = (draft.Command, draft.Book);

        // Sent twice, or published by somebody else already.
        if (book.FindSame(command.Document, command.EffectiveAt, Now(book)) is not null)
            return PageAnswer.SeeOther("/operator/rate-card?done=same");

        // What was looked at is what is published: where there are other cards by now, it is to be looked at again.
        if (form.Value("base") != BaseOf(draft.Review.Seen))
            return ShowReview(draft.Review, 409);
        var published = await cards.PublishAsync(command, visit.Caller, visit.Gone);
        if (published.IsOutdated)
        {
            // Somebody else was quicker, between the look and the word.
            (draft, problem) = await ReadAsync(visit, form);
            return draft is null ? problem! : ShowReview(draft.Review, 409);
        }

        if (published.Card is { } card)
            return PageAnswer.SeeOther(
                "/operator/rate-card?done="
                    + (
                        !published.IsNew ? "same"
                        : card.EffectiveAt > Now(cards.Book) ? "scheduled"
                        : "published"
                    )
            );
        form.Fault("effective", InTheFuture);
        return ShowEdit(form, "", [], 409);
    }

    /// <summary>The card of a form and what it changes; where something is wrong with it, the page that says so.</summary>
    private async Task<(Draft? Draft, PageAnswer? Problem)> ReadAsync(OperatorVisit visit, FormPost form)
    {
        var book = await cards.ReloadAsync(visit.Gone);
        var (now, text) = (Now(book), form.Value("card").ReplaceLineEndings("\n").Trim());
        var faults = new JsonFaults();
        if (text.Length == 0)
            form.Fault("card", "Fill this in.");
        else if (text.Length > MaxLength)
            form.Fault("card", "This is too long for a rate card.");
        else
        {
            foreach (var fault in RateCardSource.Check(text))
                faults.Add(fault.Path, fault.Message);
        }

        DateTimeOffset? effectiveAt = null;
        if (form.Text("effective", 30) is { } moment)
        {
            if (!Moments.TryParse(moment, out var at))
                form.Fault("effective", Moments.Hint);
            else if (at <= now)
                form.Fault("effective", InTheFuture);
            else
                effectiveAt = at;
        }

        var document = form.IsValid && faults.IsEmpty ? JsonSerializer.Deserialize(text, RateCardJson.Default.RateCardDocument) : null;
        if (document is not null)
            await guard.CheckAsync(document, "", now, faults, visit.Gone);
        if (document is null || !faults.IsEmpty)
            return (null, ShowEdit(form, "", [.. faults.All.Select(fault => (fault.Path, fault.Message))], 400));

        // It takes the place of the card that will be in force then, not of the one that is now.
        var seen = RateCardsSeen.Of(book, effectiveAt, now);
        var replaced = book.InForce(effectiveAt ?? now);
        var isOutdated = form.Value("base") is { Length: > 0 } before && before != BaseOf(seen);
        var isScheduled = replaced?.EffectiveAt > now;
        var notice = !isOutdated
            ? null
            : (
                !isScheduled && !form.Value("base").EndsWith(ReplacedOf(seen), StringComparison.Ordinal)
                    ? "Another card has come into force since you looked."
                    : "Another card has been published since you looked."
            ) + " Nothing is published yet; this is what yours changes now.";
        var differences = replaced is null ? [] : RateCardDiff.Between(replaced.Document, document);
        return (
            new(
                new(text, effectiveAt, seen),
                document,
                book,
                new(form, seen, isScheduled, effectiveAt, book.After(effectiveAt ?? now), differences, notice),
                isOutdated
            ),
            null
        );
    }

    private static PageAnswer ShowReview(RateCardReviewModel model, int status) =>
        PageAnswer.Show<RateCardReviewPage, RateCardReviewModel>("Publish a rate card", model, status);

    private static PageAnswer ShowEdit(FormPost form, string source, IReadOnlyList<(string, string)> faults, int status) =>
        PageAnswer.Show<RateCardEditPage, RateCardEditModel>("Edit the rate card", new(form, source, faults), status, "rate-card.js");

    /// <summary>What a form says of the versions that it was compared with.</summary>
    internal static string BaseOf(RateCardsSeen seen) => seen.Version.ToString(CultureInfo.InvariantCulture) + ReplacedOf(seen);

    private static string ReplacedOf(RateCardsSeen seen) => ":" + (seen.Replaced?.ToString(CultureInfo.InvariantCulture) ?? "none");

    private DateTimeOffset Now(RateBook book) => LedgerTime.Later(time, book.LastAt);

    /// <summary>A card that may be published.</summary>
    /// <param name="Command">What publishes it.</param>
    /// <param name="Document">It.</param>
    /// <param name="Book">The versions that there are.</param>
    /// <param name="Review">What it changes.</param>
    /// <param name="IsOutdated">Whether there are other ones by now than when it was looked at.</param>
    private sealed record Draft(
        PublishRateCard Command,
        RateCardDocument Document,
        RateBook Book,
        RateCardReviewModel Review,
        bool IsOutdated
    );
}
