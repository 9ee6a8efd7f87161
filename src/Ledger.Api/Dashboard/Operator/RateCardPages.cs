using System.Globalization;
using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Pricing;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>The price list: looked at, written anew, compared with what is in force, and published.</summary>
internal sealed class RateCardPages(RateCards cards, CardGuard guard, TimeProvider time)
{
    private const int PageSize = 20;

    // Room for every card that the reader takes; a form's own limit stands above it.
    private const int MaxLength = 2 * 1024 * 1024;

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<RateCardPages>(services);
        operators.Page("/operator/rate-card", pages.ShowAsync);
        operators.Page("/operator/rate-card/edit", pages.EditAsync);
        operators.Form("/operator/rate-card/review", pages.ReviewAsync);
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
            )
        );
    }

    private async Task<PageAnswer> EditAsync(OperatorVisit visit)
    {
        var book = await cards.ReloadAsync(visit.Gone);
        return ShowEdit(FormPost.Blank, book.InForce(Now(book))?.Source ?? "", [], 200);
    }

    private async Task<PageAnswer> ReviewAsync(OperatorVisit visit, FormPost form) => (await ReadAsync(visit, form)).Answer;

    private async Task<PageAnswer> PublishAsync(OperatorVisit visit, FormPost form)
    {
        var (command, book, answer) = await ReadAsync(visit, form);
        if (command is null)
            return answer;

        // Sent twice, or published by somebody else already.
        if (book.FindSame(command.Document, command.EffectiveAt, Now(book)) is not null)
            return PageAnswer.SeeOther("/operator/rate-card?done=same");

        // What was looked at is what is published: where another card came into force meanwhile, it is to be looked at again.
        if (form.Value("base") != BaseOf(book.InForce(Now(book))))
            return answer;
        var published = await cards.PublishAsync(command, visit.Caller, visit.Gone);
        if (published.Refusal is null)
            return PageAnswer.SeeOther(
                "/operator/rate-card?done="
                    + (
                        !published.IsNew ? "same"
                        : published.Card!.EffectiveAt > Now(cards.Book) ? "scheduled"
                        : "published"
                    )
            );
        form.Fault("effective", "A time in the future; leave it empty for at once.");
        return ShowEdit(form, "", [], 409);
    }

    /// <summary>The card of a form and the page that shows what it changes; where something is wrong with it, null and the page that says so.</summary>
    private async Task<(PublishRateCard? Command, RateBook Book, PageAnswer Answer)> ReadAsync(OperatorVisit visit, FormPost form)
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
                form.Fault("effective", "A time in the future; leave it empty for at once.");
            else
                effectiveAt = at;
        }

        if (form.IsValid && faults.IsEmpty)
        {
            var document = JsonSerializer.Deserialize(text, RateCardJson.Default.RateCardDocument)!;
            await guard.CheckAsync(document, "", now, faults, visit.Gone);
            if (faults.IsEmpty)
            {
                var inForce = book.InForce(now);
                var isOutdated = form.Value("base") is { Length: > 0 } seen && seen != BaseOf(inForce);
                return (
                    new(text, effectiveAt),
                    book,
                    PageAnswer.Show<RateCardReviewPage, RateCardReviewModel>(
                        "Publish a rate card",
                        new(
                            form,
                            inForce?.Version,
                            effectiveAt,
                            inForce is null ? [] : RateCardDiff.Between(inForce.Document, document),
                            isOutdated
                                ? "Another card has come into force since you looked. Nothing is published yet; this is what yours changes now."
                                : null
                        ),
                        isOutdated ? 409 : 200
                    )
                );
            }
        }

        return (null, book, ShowEdit(form, "", [.. faults.All.Select(fault => (fault.Path, fault.Message))], 400));
    }

    private static PageAnswer ShowEdit(FormPost form, string source, IReadOnlyList<(string, string)> faults, int status) =>
        PageAnswer.Show<RateCardEditPage, RateCardEditModel>("Edit the rate card", new(form, source, faults), status);

    /// <summary>What a form says of the card that it was compared with.</summary>
    internal static string BaseOf(RateCard? card) => BaseOf(card?.Version);

    /// <summary>What a form says of the version that it was compared with.</summary>
    internal static string BaseOf(long? version) => version?.ToString(CultureInfo.InvariantCulture) ?? "none";

    private DateTimeOffset Now(RateBook book) => LedgerTime.Later(time, book.LastAt);
}
