using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Finance;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections.Journal;

namespace Ledger.Api.Dialects.Admin;

/// <summary>The operator's view of the books: of one account as of any moment, and of all of them by day and month.</summary>
public sealed class FinanceAdminApi
{
    private static readonly string[] TrialHeads = ["account", "unit", "debit", "credit", "balance", "usd_value"];

    private static readonly string[] DeferredHeads =
    [
        "date",
        "source",
        "unit",
        "opening",
        "sold",
        "given",
        "spent",
        "expired",
        "taken_back",
        "debt_repaid",
        "closing",
        "opening_usd",
        "sold_usd",
        "earned_usd",
        "expired_usd",
        "taken_back_usd",
        "closing_usd",
    ];

    private static readonly string[] BreakageHeads = ["date", "source", "unit", "expired", "taken_back", "amount", "usd_value"];

    private readonly AdminDesk _desk;
    private readonly FinanceEndpoints _finance;
    private readonly AccountJournal _journal;
    private readonly JournalSums _sums;
    private readonly IEventLog _log;
    private readonly TimeProvider _time;

    private FinanceAdminApi(IServiceProvider services)
    {
        _desk = new(services);
        _finance = new(services, isWrapped: false);
        _journal = services.GetRequiredService<AccountJournal>();
        _sums = services.GetRequiredService<JournalSums>();
        _log = services.GetRequiredService<IEventLog>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new FinanceAdminApi(app.Services);
        var admin = app.MapGroup("/admin").WithTags("Admin").OnlyFor(app.Services.GetRequiredService<OperatorKey>());
        admin
            .MapGet("/accounts/{id}/journal", api.ListJournalAsync)
            .Describe<JournalList>("What every event of the account moved, as balanced postings; oldest first.", 200, 400, 404);
        admin
            .MapGet("/accounts/{id}/statements", api.ListStatementsAsync)
            .Describe<StatementList>("The months that there are statements of, the newest first.", 200, 404);
        admin
            .MapGet("/accounts/{id}/statements/{period}", api.ShowStatementAsync)
            .Describe<StatementView>(
                "The statement of a month; a table where text/csv is wanted, a page where text/html is.",
                200,
                400,
                404
            );
        admin
            .MapGet("/audit/balance", api.ShowBalanceAsync)
            .Describe<AuditBalance>(
                "What an account had at a moment, at a position of the log, or right after one of its events.",
                200,
                400,
                404
            );
        admin
            .MapGet("/audit/events", api.ListEventsAsync)
            .Describe<AuditEventList>("An account's events as they are stored, in their order.", 200, 400, 404);
        admin
            .MapGet("/reports/trial-balance", api.ShowTrialBalanceAsync)
            .Describe<TrialBalanceView>(
                "Every account of the books at the end of a day, at a time or at a position of the log; CSV where text/csv is wanted.",
                200,
                400
            );
        admin
            .MapGet("/reports/deferred-revenue", api.ShowDeferredRevenueAsync)
            .Describe<DeferredRevenueView>("What is still to be earned, by day or month; CSV where text/csv is wanted.", 200, 400);
        admin
            .MapGet("/reports/breakage", api.ShowBreakageAsync)
            .Describe<BreakageView>("What lapsed unspent, by day or month; CSV where text/csv is wanted.", 200, 400);
    }

    private async Task ListJournalAsync(
        HttpContext context,
        string id,
        string? from,
        string? to,
        string? position,
        string? cursor,
        string? limit
    )
    {
        if (await _desk.FindAsync(context, id) is { } account)
            await _finance.ListJournalAsync(context, account, from, to, position, cursor, limit);
    }

    private async Task ListStatementsAsync(HttpContext context, string id)
    {
        if (await _desk.FindAsync(context, id) is { } account)
            await _finance.ListStatementsAsync(context, account);
    }

    private async Task ShowStatementAsync(HttpContext context, string id, string period, string? at, string? position)
    {
        if (await _desk.FindAsync(context, id) is { } account)
            await _finance.ShowStatementAsync(context, account, period, at, position);
    }

    private async Task ShowBalanceAsync(HttpContext context, string? account, string? at, string? version, string? position)
    {
        var (faults, now) = (new JsonFaults(), LedgerTime.Now(_time));
        var moment = WireDate.ReadMoment(at, "at", now, faults);
        var place = 0L;
        if (version is not null && !(long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out place) && place > 0))
            faults.Add("version", "must be a whole number above 0");
        if (version is not null && at is not null)
            faults.Add("version", "must not be there beside at");
        var asOf = FinanceEndpoints.ReadPosition(position, faults);
        if (position is not null && (at ?? version) is not null)
            faults.Add("position", "must not be there beside at or version");
        if (await AccountAsync(context, account, faults) is not { } present)
            return;

        // A version is a moment too: nothing had lapsed by then that its event had not seen.
        var state =
            version is not null ? await _journal.StateAtAsync(present.Id, place, context.RequestAborted)
            : asOf is { } behind ? await StateBehindAsync(present, behind, context.RequestAborted)
            : moment is { } asked ? await _journal.StateAtAsync(present.Id, asked, context.RequestAborted)
            : present;
        var then = (version ?? position) is not null ? state.LastAt : moment ?? LedgerTime.Later(_time, present.LastAt);
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                present.Id.Value,
                then,
                state.Version,
                state.Status switch
                {
                    AccountStatus.Missing => "missing",
                    AccountStatus.Open or AccountStatus.Suspended => AdminTranslation.StatusName(state.Status),
                },
                new(AdminTranslation.ToBalance(state, Unit.Credits, then), AdminTranslation.ToBalance(state, Unit.Usd, then)),
                [.. state.Wallet.Open.Select(AdminTranslation.ToView)]
            ),
            AuditJson.Default.AuditBalance
        );
    }

    private async Task<Account> StateBehindAsync(Account account, long position, CancellationToken ct) =>
        await _journal.StateAtAsync(account.Id, await _journal.VersionUpToAsync(account.Id, position, ct), ct);

    private async Task ListEventsAsync(HttpContext context, string? account, string? after, string? limit)
    {
        var (faults, from) = (new JsonFaults(), 0L);
        if (after is not null && !long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out from))
            faults.Add("after", "must be a version, a whole number");
        CheckAccount(account, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        if (await _desk.FindAsync(context, account!) is not { } present)
            return;
        var found = await _log.ReadStreamAsync(present.Id.StreamId, from, size + 1, context.RequestAborted);
        var page = found.Take(size).Select(ToView).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new(page, found.Count > size ? page[^1].Version.ToString(CultureInfo.InvariantCulture) : null),
            AuditJson.Default.AuditEventList
        );
    }

    private async Task ShowTrialBalanceAsync(HttpContext context, string? at, string? position)
    {
        // A time is a moment of recording, a day one of booking: what lapsed on a day and was noticed later is booked on that day.
        var (faults, now) = (new JsonFaults(), LedgerTime.Now(_time));
        var isTime = at?.Contains('T', StringComparison.Ordinal) == true;
        var moment = isTime ? WireDate.ReadMoment(at, "at", now, faults) : null;
        DateOnly? day = isTime || position is not null ? null : WireDate.Read(at, "at", faults) ?? WireDate.DayOf(now);
        var place = FinanceEndpoints.ReadPosition(position, faults);
        if (position is not null && at is not null)
            faults.Add("position", "must not be there beside at");
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var (totals, upTo) =
            moment is { } time ? await _sums.AsOfAsync(time, context.RequestAborted)
            : day is { } last ? await _sums.UpToAsync(last, context.RequestAborted)
            : await _sums.AsOfAsync(place!.Value, context.RequestAborted);
        var view = FinanceView.OfTrialBalance(day, moment, place, totals, upTo);
        context.Response.Headers.Vary = "Accept";
        if (CsvAnswer.IsWanted(context))
            await CsvAnswer.SendAsync(
                context,
                "trial-balance-"
                    + (day is { } named ? WireDate.Format(named) : string.Create(CultureInfo.InvariantCulture, $"{upTo.Position}")),
                TrialHeads,
                view.Data.Select(line => new object?[] { line.Account, line.Unit, line.Debit, line.Credit, line.Balance, line.UsdValue })
            );
        else
            await ApiErrors.SendAsync(context, 200, view, FinanceJson.Default.TrialBalanceView);
    }

    private async Task ShowDeferredRevenueAsync(HttpContext context, string? from, string? to, string? group)
    {
        if (await RangeAsync(context, from, to, group) is not { } range)
            return;
        var (opening, periods, upTo) = await _sums.BetweenAsync(range.From, range.To, range.ByMonth, context.RequestAborted);
        var view = new DeferredRevenueView(
            range.From,
            range.To,
            range.Group,
            FinanceView.Of(upTo),
            FinanceView.OfDeferred(range, opening, periods)
        );
        if (CsvAnswer.IsWanted(context))
            await CsvAnswer.SendAsync(
                context,
                $"deferred-revenue-{WireDate.Format(range.From)}-{WireDate.Format(range.To)}",
                DeferredHeads,
                view.Data.Select(line =>
                    new object?[]
                    {
                        line.Date,
                        line.Source,
                        line.Unit,
                        line.Opening,
                        line.Sold,
                        line.Given,
                        line.Spent,
                        line.Expired,
                        line.TakenBack,
                        line.DebtRepaid,
                        line.Closing,
                        line.OpeningUsd,
                        line.SoldUsd,
                        line.EarnedUsd,
                        line.ExpiredUsd,
                        line.TakenBackUsd,
                        line.ClosingUsd,
                    }
                )
            );
        else
            await ApiErrors.SendAsync(context, 200, view, FinanceJson.Default.DeferredRevenueView);
    }

    private async Task ShowBreakageAsync(HttpContext context, string? from, string? to, string? group)
    {
        if (await RangeAsync(context, from, to, group) is not { } range)
            return;
        var (_, periods, upTo) = await _sums.BetweenAsync(range.From, range.To, range.ByMonth, context.RequestAborted);
        var view = new BreakageView(range.From, range.To, range.Group, FinanceView.Of(upTo), FinanceView.OfBreakage(range, periods));
        if (CsvAnswer.IsWanted(context))
            await CsvAnswer.SendAsync(
                context,
                $"breakage-{WireDate.Format(range.From)}-{WireDate.Format(range.To)}",
                BreakageHeads,
                view.Data.Select(line =>
                    new object?[] { line.Date, line.Source, line.Unit, line.Expired, line.TakenBack, line.Amount, line.UsdValue }
                )
            );
        else
            await ApiErrors.SendAsync(context, 200, view, FinanceJson.Default.BreakageView);
    }

    private async Task<ReportRange?> RangeAsync(HttpContext context, string? from, string? to, string? group)
    {
        var faults = new JsonFaults();
        var range = ReportRange.Read(from, to, group, WireDate.DayOf(LedgerTime.Now(_time)), faults);
        context.Response.Headers.Vary = "Accept";
        if (faults.IsEmpty)
            return range;
        await ApiErrors.SendAsync(context, faults);
        return null;
    }

    private async Task<Account?> AccountAsync(HttpContext context, string? account, JsonFaults faults)
    {
        CheckAccount(account, faults);
        if (faults.IsEmpty)
            return await _desk.FindAsync(context, account!);
        await ApiErrors.SendAsync(context, faults);
        return null;
    }

    private static void CheckAccount(string? account, JsonFaults faults)
    {
        if (account is null || !Identifiers.IsLawful(account))
            faults.Add("account", "must be an account's id");
    }

    private static AuditEvent ToView(StoredEvent stored)
    {
        using var data = JsonDocument.Parse(stored.Data);
        return new(
            stored.Version,
            stored.Position,
            stored.Id,
            stored.Type,
            stored.At,
            EventHeaders.Read(stored.Headers).Actor,
            stored.CorrelationId,
            Convert.ToBase64String(stored.ReadHash()),
            data.RootElement.Clone()
        );
    }
}

/// <summary>What an account had at a moment.</summary>
/// <param name="AccountId">Its id.</param>
/// <param name="At">The moment.</param>
/// <param name="Version">The last of its events by then.</param>
/// <param name="Status"><c>open</c>, <c>suspended</c>, or <c>missing</c> where it was not opened yet.</param>
/// <param name="Balance">What it had that no pack bound.</param>
/// <param name="Pockets">The pockets with something in them, in the order in which they paid.</param>
public sealed record AuditBalance(
    string AccountId,
    DateTimeOffset At,
    long Version,
    string Status,
    Balances Balance,
    IReadOnlyList<PocketView> Pockets
);

/// <summary>A page of an account's events.</summary>
/// <param name="Data">In their order.</param>
/// <param name="Next">The <c>after</c> of the next page; null on the last.</param>
public sealed record AuditEventList(IReadOnlyList<AuditEvent> Data, string? Next);

/// <summary>One event as it is stored.</summary>
/// <param name="Version">Its place in the account's stream.</param>
/// <param name="Position">Its place in the log.</param>
/// <param name="EventId">Its id.</param>
/// <param name="Type">What happened.</param>
/// <param name="At">When it was recorded.</param>
/// <param name="Actor">Who did it.</param>
/// <param name="RequestId">The request that did it.</param>
/// <param name="Hash">Its hash, in Base64.</param>
/// <param name="Data">Its members.</param>
public sealed record AuditEvent(
    long Version,
    long Position,
    Guid EventId,
    string Type,
    DateTimeOffset At,
    string? Actor,
    string? RequestId,
    string Hash,
    JsonElement Data
);

/// <summary>Writes the answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(AuditBalance))]
[JsonSerializable(typeof(AuditEventList))]
internal sealed partial class AuditJson : JsonSerializerContext;
