using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Ledger.Projections.Journal;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>An account's events, newest first, and what it had at any moment: folded out of the log, not read from what is kept of it.</summary>
internal sealed class HistoryPages(LedgerService ledger, People people, IEventLog log, AccountJournal journal, TimeProvider time)
{
    private const int PageSize = 50;

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<HistoryPages>(services);
        operators.Page("/operator/accounts/{id}/events", pages.ShowAsync);
        operators.Read("/operator/accounts/{id}/balance", pages.TellAsync);
    }

    private async Task<PageAnswer> ShowAsync(OperatorVisit visit)
    {
        if (await AccountPages.FindAsync(ledger, time, visit.Route("id")) is not { } account)
            return PageAnswer.NotFound;
        var last = account.Version;
        var before = last + 1;
        if (visit.Query("before") is { } place)
        {
            if (!long.TryParse(place, NumberStyles.None, CultureInfo.InvariantCulture, out before) || before < 1)
                return PageAnswer.NotFound;
            before = Math.Min(before, last + 1);
        }

        var (at, text, fault) = MomentOf(visit);
        var after = Math.Max(0, before - 1 - PageSize);
        var stored = await log.ReadStreamAsync(account.Id.StreamId, after, (int)(before - 1 - after), visit.Gone);
        var path = $"/operator/accounts/{account.Id}/events";
        var moment = text is null ? "" : "at=" + Uri.EscapeDataString(text);
        return PageAnswer.Show<HistoryPage, HistoryModel>(
            "History of an account",
            new(
                account.Id,
                (await people.FindAsync(account.Id, visit.Gone))?.Email,
                account.OpenedAt,
                await ThenAsync(visit, account, at),
                text,
                fault,
                last,
                [.. stored.Reverse().Select(LineOf)],
                before > last ? null : $"{path}?{moment}",
                after > 0 ? $"{path}?{moment}&before={after + 1}" : null
            ),
            fault is null ? 200 : 400,
            "history.js"
        );
    }

    private async Task TellAsync(OperatorVisit visit)
    {
        var response = visit.Context.Response;
        response.Headers.CacheControl = "no-store";
        var (at, _, fault) = MomentOf(visit);
        if (fault is not null)
        {
            response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        if (await AccountPages.FindAsync(ledger, time, visit.Route("id")) is not { } account)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await JsonAnswer.SendAsync(
            visit.Context,
            200,
            await ThenAsync(visit, account, at),
            static (json, then) =>
            {
                json.WriteStartObject();
                json.WriteString("at", Show.Moment(then.At));
                json.WriteString("status", then.StatusWord);
                json.WriteString("version", Show.Number(then.Version));
                json.WriteNumber("before", then.Version + 1);
                foreach (var balance in then.Balances)
                {
                    json.WriteStartObject(balance.Available.Unit.Name());
                    json.WriteString("available", Show.Amount(balance.Available));
                    json.WriteString("held", Show.Amount(balance.Held));
                    json.WriteString("debt", Show.Amount(balance.Debt));
                    json.WriteEndObject();
                }

                json.WriteEndObject();
            }
        );
    }

    private async Task<BalanceThen> ThenAsync(OperatorVisit visit, Account account, DateTimeOffset? asked)
    {
        // What is current needs no folding.
        var now = LedgerTime.Later(time, account.LastAt);
        var at = asked is { } moment && moment < now ? moment : now;
        var then = at < now ? await journal.StateAtAsync(account.Id, at, visit.Gone) : account;
        return new(
            at,
            then.Version,
            then.Status,
            [.. ((Unit[])[Unit.Credits, Unit.Usd]).Select(unit => AccountPages.BalanceOf(then, unit, at))],
            [.. then.Wallet.Open]
        );
    }

    private static (DateTimeOffset? At, string? Text, string? Fault) MomentOf(OperatorVisit visit) =>
        visit.Query("at") is not { } text ? (null, null, null)
        : text.Length > 40 || !Moments.TryParse(text, out var at) ? (null, null, Moments.Hint)
        : (at, text, null);

    private static HistoryLine LineOf(StoredEvent stored)
    {
        var who = EventHeaders.Read(stored.Headers);
        var @event = (AccountEvent?)LedgerEvents.Types.Find(stored);
        return new(
            stored.Version,
            stored.At,
            stored.Type,
            @event is null ? "A newer server wrote this; this one cannot read it." : EventWords.Of(@event),
            EventWords.ActorOf(who.Actor),
            stored.CorrelationId,
            EventWords.Indent(
                $$"""{"id":"{{stored.Id}}","position":{{stored.Position.ToString(CultureInfo.InvariantCulture)}},"at":"{{WireTime.Format(stored.At)}}","hash":"{{Convert.ToBase64String(stored.ReadHash())}}","data":{{stored.Data}}}"""
            )
        );
    }
}
