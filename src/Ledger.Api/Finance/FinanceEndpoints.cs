using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Ledger.Projections.Journal;

namespace Ledger.Api.Finance;

/// <summary>
/// An account's journal and statements, for the dialects in which accounts and the operator ask for them. They differ only in who may come, and in
/// whether a statement is wrapped in <c>data</c>.
/// </summary>
internal sealed class FinanceEndpoints(IServiceProvider services, bool isWrapped)
{
    private readonly AccountJournal _journal = services.GetRequiredService<AccountJournal>();
    private readonly TimeProvider _time = services.GetRequiredService<TimeProvider>();

    /// <summary>The journal, oldest first.</summary>
    public async Task ListJournalAsync(HttpContext context, Account account, string? from, string? to, string? cursor, string? limit)
    {
        var faults = new JsonFaults();
        var (first, last) = WireDate.ReadRange(from, to, faults);
        long after = 0;
        if (cursor is not null && !(long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out after) && after > 0))
            faults.Add("cursor", "must be the next of the page before");
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;

        var ct = context.RequestAborted;
        if (first is { } start)
            after = Math.Max(after, await _journal.VersionBeforeAsync(account.Id, WireDate.StartOf(start), ct));
        var upTo = account.Version;
        if (last is { } end)
            upTo = Math.Min(upTo, await _journal.VersionBeforeAsync(account.Id, WireDate.StartOf(end.AddDays(1)), ct));
        var page = await _journal.ReadAsync(account.Id, after, upTo, size, ct);
        await ApiErrors.SendAsync(context, 200, FinanceView.Of(page), FinanceJson.Default.JournalList);
    }

    /// <summary>The months since the account was opened.</summary>
    public async Task ListStatementsAsync(HttpContext context, Account account)
    {
        var now = LedgerTime.Now(_time);
        var opened = WireDate.DayOf(account.OpenedAt);
        var periods = new List<StatementPeriod>();
        for (var month = new DateOnly(opened.Year, opened.Month, 1); WireDate.StartOf(month) <= now; month = month.AddMonths(1))
            periods.Add(
                new(
                    WireDate.FormatMonth(month),
                    month,
                    month.AddMonths(1).AddDays(-1),
                    WireDate.StartOf(month.AddMonths(1)) + AccountJournal.Settling <= now
                )
            );
        periods.Reverse();
        await ApiErrors.SendAsync(context, 200, new(periods, null), FinanceJson.Default.StatementList);
    }

    /// <summary>One month, as of its end or of a moment in it.</summary>
    public async Task ShowStatementAsync(HttpContext context, Account account, string period, string? at)
    {
        var (faults, now) = (new JsonFaults(), LedgerTime.Now(_time));
        var month = WireDate.ReadMonth(period);
        if (month is null)
            faults.Add("period", "must be a month such as 2026-11");
        else if (WireDate.StartOf(month.Value) > now)
            faults.Add("period", "must not be in the future");
        var moment = WireDate.ReadMoment(at, "at", now, faults);
        if (moment is { } asked && month is { } own && (asked < WireDate.StartOf(own) || asked >= WireDate.StartOf(own.AddMonths(1))))
            faults.Add("at", "must lie in the period");
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var (start, end) = (WireDate.StartOf(month!.Value), WireDate.StartOf(month.Value.AddMonths(1)));
        var close = moment ?? (end <= now ? end.AddMicroseconds(-1) : now);
        var statement = await _journal.StateAsync(account.Id, start, close.AddMicroseconds(1), now, context.RequestAborted);
        var view = FinanceView.Of(account.Id, month.Value, statement, close);

        // A part of a period says nothing final about it, however long ago it was.
        if (close.AddMicroseconds(1) < end)
            view = view with { Final = false };
        context.Response.Headers.Vary = "Accept";
        context.Response.Headers.CacheControl = "no-store";
        if (CsvAnswer.IsWanted(context))
            await StatementPage.SendTableAsync(context, view);
        else if (HtmlPage.IsWanted(context))
            await StatementPage.SendPageAsync(context, view);
        else if (isWrapped)
            await ApiErrors.SendAsync(context, 200, new(view), FinanceJson.Default.StatementAnswer);
        else
            await ApiErrors.SendAsync(context, 200, view, FinanceJson.Default.StatementView);
    }
}
