using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Dashboard;
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
    public async Task ListJournalAsync(
        HttpContext context,
        Account account,
        string? from,
        string? to,
        string? position,
        string? cursor,
        string? limit
    )
    {
        var faults = new JsonFaults();
        var (first, last) = WireDate.ReadRange(from, to, faults);
        long after = 0;
        if (cursor is not null && !(long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out after) && after > 0))
            faults.Add("cursor", "must be the next of the page before");
        var place = ReadPosition(position, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;

        var ct = context.RequestAborted;
        if (first is { } start)
            after = Math.Max(after, await _journal.VersionBeforeAsync(account.Id, WireDate.StartOf(start), ct));
        var upTo = account.Version;
        if (last is { } end)
            upTo = Math.Min(upTo, await _journal.VersionBeforeAsync(account.Id, WireDate.StartOf(end.AddDays(1)), ct));
        if (place is { } asOf)
            upTo = Math.Min(upTo, await _journal.VersionUpToAsync(account.Id, asOf, ct));
        var page = await _journal.ReadAsync(account.Id, after, upTo, size, ct);
        await ApiErrors.SendAsync(context, 200, FinanceView.Of(page), FinanceJson.Default.JournalList);
    }

    /// <summary>The months since an account was opened, the newest first.</summary>
    /// <param name="account">The account.</param>
    /// <param name="now">The present.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<StatementPeriod>> MonthsOfAsync(Account account, DateTimeOffset now, CancellationToken ct)
    {
        // No commit hangs that may be of a month that is over.
        var hasSettled = await _journal.HasSettledAsync(now - AccountJournal.Settling, now, ct);
        var opened = WireDate.DayOf(account.OpenedAt);
        var periods = new List<StatementPeriod>();
        for (var month = new DateOnly(opened.Year, opened.Month, 1); WireDate.StartOf(month) <= now; month = month.AddMonths(1))
            periods.Add(
                new(
                    WireDate.FormatMonth(month),
                    month,
                    month.AddMonths(1).AddDays(-1),
                    hasSettled && WireDate.StartOf(month.AddMonths(1)) + AccountJournal.Settling <= now
                )
            );
        periods.Reverse();
        return periods;
    }

    /// <summary>Those months.</summary>
    public async Task ListStatementsAsync(HttpContext context, Account account)
    {
        var months = await MonthsOfAsync(account, LedgerTime.Now(_time), context.RequestAborted);
        await ApiErrors.SendAsync(context, 200, new(months, null), FinanceJson.Default.StatementList);
    }

    /// <summary>Reads a position of the log; null where none is asked for, and where it is none, and then a fault.</summary>
    public static long? ReadPosition(string? position, JsonFaults faults)
    {
        if (position is null)
            return null;
        if (long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out var place) && place > 0)
            return place;
        faults.Add("position", "must be a whole number above 0");
        return null;
    }

    /// <summary>One month, as of its end, or of a moment or a position in it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="account">Whose.</param>
    /// <param name="period">The month.</param>
    /// <param name="at">The moment; null for the month's end.</param>
    /// <param name="position">The position; null for the month's end.</param>
    /// <param name="back">Where a page of it leads back to; null for nowhere.</param>
    public async Task ShowStatementAsync(
        HttpContext context,
        Account account,
        string period,
        string? at,
        string? position,
        string? back = null
    )
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
        if (at is not null && position is not null)
            faults.Add("position", "must not be there beside at");
        var version = 0L;
        if (ReadPosition(position, faults) is { } place && month is { } within && faults.IsEmpty)
        {
            version = await _journal.VersionUpToAsync(account.Id, place, context.RequestAborted);
            var (before, beyond) = (WireDate.StartOf(within), WireDate.StartOf(within.AddMonths(1)));
            if (
                version <= await _journal.VersionBeforeAsync(account.Id, before, context.RequestAborted)
                || version > await _journal.VersionBeforeAsync(account.Id, beyond, context.RequestAborted)
            )
                faults.Add("position", "must be one behind which the account's last event lies in the period");
        }

        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var (start, end) = (WireDate.StartOf(month!.Value), WireDate.StartOf(month.Value.AddMonths(1)));
        var close = moment ?? (end <= now ? end.AddMicroseconds(-1) : now);
        var statement = position is null
            ? await _journal.StateAsync(account.Id, start, close.AddMicroseconds(1), now, context.RequestAborted)
            : await _journal.StateAsync(account.Id, start, version, context.RequestAborted);
        if (position is not null)
            close = statement.To;
        var view = FinanceView.Of(account.Id, month.Value, statement, close);

        // A part of a period says nothing final about it, however long ago it was.
        if (close.AddMicroseconds(1) < end)
            view = view with { Final = false };
        context.Response.Headers.Vary = "Accept";
        context.Response.Headers.CacheControl = "no-store";
        if (CsvAnswer.IsWanted(context))
            await StatementPage.SendTableAsync(context, view);
        else if (HtmlPage.IsWanted(context))
            await StatementPage.SendPageAsync(context, view, Themes.Of(context), back);
        else if (isWrapped)
            await ApiErrors.SendAsync(context, 200, new(view), FinanceJson.Default.StatementAnswer);
        else
            await ApiErrors.SendAsync(context, 200, view, FinanceJson.Default.StatementView);
    }
}
