using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Decisions;
using Ledger.Api.Dialects.Admin;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Ledger.Projections.Refusals;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>Accounts as the operator sees them: searched, looked at, given funds, suspended and reinstated.</summary>
internal sealed class AccountPages(
    LedgerService ledger,
    People people,
    KeyDesk keys,
    RefusalRecords refusals,
    RefusalWriter writer,
    TimeProvider time
)
{
    private const int PageSize = 50;
    private const int Shown = 50;
    private const int RefusedDays = 7;
    private const int MaxReason = 500;
    private const int MaxReference = 200;

    // More lines than this, one for each day, key and code, are not summed.
    private const int RefusalLines = 10_000;

    /// <summary>The sources that may be given from, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> SourceOptions =
    [
        ("bonus", "Bonus: given for nothing"),
        ("payg", "Bought: paid for outside of this ledger"),
        ("subscription", "Subscription"),
        ("prepaid", "Prepaid dollars"),
    ];

    /// <summary>The units, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> UnitOptions = [("credits", "Credits"), ("usd", "Dollars")];

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<AccountPages>(services);
        operators.Page("/operator/accounts", pages.SearchAsync);
        operators.Page("/operator/accounts/{id}", pages.ShowAsync);
        operators.Page("/operator/accounts/{id}/grant", pages.AskGrantAsync);
        operators.Form("/operator/accounts/{id}/grant", pages.ReviewGrantAsync);
        operators.Form("/operator/accounts/{id}/grant/confirm", pages.GrantAsync);
        foreach (var isSuspension in (bool[])[true, false])
        {
            var path = "/operator/accounts/{id}/" + (isSuspension ? "suspend" : "reinstate");
            operators.Page(path, visit => pages.AskStatusAsync(visit, isSuspension));
            operators.Form(path, (visit, form) => pages.ChangeStatusAsync(visit, form, isSuspension));
        }
    }

    private async Task<PageAnswer> SearchAsync(OperatorVisit visit)
    {
        var query = (visit.Query("query") ?? "").Trim();
        var after = visit.Query("after") ?? "";
        if (query.Length > 254 || query.Contains('\0', StringComparison.Ordinal) || (after.Length > 0 && !Identifiers.IsLawful(after)))
            return Show(new(query, [], null, null, "Nobody can be found by this."), 400);

        // A whole id or address is found at once; only for a part of one are all accounts looked through.
        var isPart = visit.Query("part") is not null;
        if (query.Length > 0 && after.Length == 0 && !isPart && await people.FindExactlyAsync(query, visit.Gone) is { Count: > 0 } exact)
            return Show(new(query, exact, null, null, null, $"/operator/accounts?query={Uri.EscapeDataString(query)}&part=1"), 200);
        var found = await people.SearchAsync(query, after, PageSize + 1, visit.Gone);
        var page = found.Take(PageSize).ToList();
        var filter = query.Length == 0 ? "" : "query=" + Uri.EscapeDataString(query) + (isPart ? "&part=1" : "");
        return Show(
            new(
                query,
                page,
                after.Length == 0 ? null : "/operator/accounts?" + filter,
                found.Count > PageSize ? $"/operator/accounts?{filter}&after={page[^1].Account}" : null,
                null
            ),
            200
        );

        static PageAnswer Show(AccountSearchModel model, int status) =>
            PageAnswer.Show<AccountSearchPage, AccountSearchModel>("Accounts", model, status);
    }

    private async Task<PageAnswer> ShowAsync(OperatorVisit visit)
    {
        if (await FindAsync(visit) is not { } account)
            return PageAnswer.NotFound;
        var now = LedgerTime.Later(time, account.LastAt);
        var newest = NewestOf(visit, "keys", account.Keys.Keys.Values, key => (key.CreatedAt, key.Id.Value));
        var wallet = account.Wallet;
        var notice = visit.Query("done") switch
        {
            "granted" => "It is given.",
            "suspended" => "The account is suspended: nothing of it can be spent or changed.",
            "reinstated" => "The account works again.",
            _ => null,
        };
        return PageAnswer.Show<AccountPage, OperatorAccountModel>(
            "Account " + account.Id,
            new(
                account,
                await EmailOfAsync(visit, account.Id),
                [.. ((Unit[])[Unit.Credits, Unit.Usd]).Select(unit => BalanceOf(account, unit, now))],
                [.. wallet.Open],
                NewestOf(visit, "holds", wallet.Holds.Values, hold => (hold.PlacedAt, hold.Id.ToString())),
                new(await keys.ListUseAsync(account, newest.Shown, visit.Gone), newest.Total, newest.First, newest.Next),
                NewestOf(visit, "orders", account.Orders.All.Values, order => (order.OpenedAt, order.Id.Value)),
                await RefusedAsync(visit, account.Id, now),
                notice
            )
        );
    }

    /// <summary>The newest of a list, or those that come after a place in it: a time and an id, so that the next page begins there even where what stood there is gone.</summary>
    private static Newest<T> NewestOf<T>(
        OperatorVisit visit,
        string name,
        IEnumerable<T> all,
        Func<T, (DateTimeOffset At, string Id)> place
    )
    {
        var sorted = all.OrderByDescending(one => place(one).At).ThenByDescending(one => place(one).Id, StringComparer.Ordinal).ToList();
        var rest = sorted;
        var isFirst = true;
        if (
            visit.Query(name) is { } text
            && text.Split('.', 2) is [var ticks, var id]
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
        )
        {
            isFirst = false;
            rest =
            [
                .. sorted.Where(one =>
                    place(one) is var here && (here.At.UtcTicks < at || (here.At.UtcTicks == at && string.CompareOrdinal(here.Id, id) < 0))
                ),
            ];
        }

        var shown = rest.Take(Shown).ToList();
        var path = visit.Context.Request.Path.Value;
        return new(
            shown,
            sorted.Count,
            isFirst ? null : $"{path}#{name}",
            rest.Count > Shown && place(shown[^1]) is var (last, lastId)
                ? string.Create(CultureInfo.InvariantCulture, $"{path}?{name}={last.UtcTicks}.{Uri.EscapeDataString(lastId)}#{name}")
                : null
        );
    }

    private async Task<IReadOnlyList<RefusedLine>> RefusedAsync(OperatorVisit visit, AccountId account, DateTimeOffset now)
    {
        // What this node has refused a moment ago counts.
        await writer.WriteAsync(visit.Gone);
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        var ask = new RefusalAsk(account, today.AddDays(1 - RefusedDays), today, RefusalStep.Day, null, null);
        return
        [
            .. (await refusals.ListAsync(ask, null, RefusalLines, visit.Gone))
                .GroupBy(line => line.Code)
                .Select(same => new RefusedLine(same.Key, same.Sum(line => line.Count)))
                .OrderByDescending(line => line.Count)
                .ThenBy(line => line.Code, StringComparer.Ordinal),
        ];
    }

    private async Task<PageAnswer> AskGrantAsync(OperatorVisit visit) =>
        await FindAsync(visit) is { } account ? await ShowGrantAsync(visit, account.Id, FormPost.Blank, null, 200) : PageAnswer.NotFound;

    private async Task<PageAnswer> ReviewGrantAsync(OperatorVisit visit, FormPost form)
    {
        if (await FindAsync(visit) is not { } account)
            return PageAnswer.NotFound;
        if (GrantOf(account.Id, form, visit.Now) is not { } grant)
            return await ShowGrantAsync(visit, account.Id, form, null, 400);
        return PageAnswer.Show<GrantReviewPage, GrantReviewModel>(
            "Give funds",
            new(account.Id, await EmailOfAsync(visit, account.Id), form, grant, account.Wallet.Available(grant.Amount.Unit, visit.Now))
        );
    }

    private async Task<PageAnswer> GrantAsync(OperatorVisit visit, FormPost form)
    {
        if (await FindAsync(visit) is not { } account)
            return PageAnswer.NotFound;
        if (GrantOf(account.Id, form, visit.Now) is not { } grant)
            return await ShowGrantAsync(visit, account.Id, form, null, 400);
        var verdict = await ledger.ExecuteAsync(grant, visit.Caller);
        if (verdict.Refusal is not { Code: var code })
            return PageAnswer.SeeOther($"/operator/accounts/{account.Id}?done=granted");
        var field = code switch
        {
            RejectionCode.ExpiryNotInFuture => "expires",
            RejectionCode.AmountOutOfRange => "amount",
            RejectionCode.ReferenceConflict => "reference",
            _ => null,
        };
        if (field is not null)
            form.Fault(field, AdminErrors.Of(code).Message);
        return await ShowGrantAsync(visit, account.Id, form, field is null ? AdminErrors.Of(code).Message : null, 409);
    }

    /// <summary>The grant that a form asks for; null where something is wrong with it.</summary>
    private static GrantCredits? GrantOf(AccountId account, FormPost form, DateTimeOffset now)
    {
        var unit = form.Choice("unit", ("credits", Unit.Credits), ("usd", Unit.Usd));
        var amount = form.Amount("amount", unit, isRequired: true);
        var source = form.Choice(
            "source",
            ("bonus", PocketSource.Bonus),
            ("payg", PocketSource.Payg),
            ("subscription", PocketSource.Subscription),
            ("prepaid", PocketSource.Prepaid)
        );
        if ((unit == Unit.Usd) != (source == PocketSource.Prepaid))
            form.Fault("source", unit == Unit.Usd ? "Dollars are always prepaid." : "Only dollars are prepaid.");
        DateTimeOffset? expiresAt = form.Day("expires") is { } day ? new(day, new(23, 59, 59), TimeSpan.Zero) : null;
        if (expiresAt <= now)
            form.Fault("expires", "A day that is not over yet.");
        var reason = form.Text("reason", MaxReason, isRequired: true);
        var reference = form.Text("reference", MaxReference);

        // Without a name of its own, the form that confirms it names it: sent twice, it is given once.
        return form.IsValid
            ? new(account, amount!.Value, source, null, expiresAt, "operator", reference ?? "dashboard-" + form.Id, reason!)
            : null;
    }

    private async Task<PageAnswer> AskStatusAsync(OperatorVisit visit, bool isSuspension) =>
        await FindAsync(visit) is { } account
            ? await ShowStatusAsync(visit, account.Id, isSuspension, FormPost.Blank, 200)
            : PageAnswer.NotFound;

    private async Task<PageAnswer> ChangeStatusAsync(OperatorVisit visit, FormPost form, bool isSuspension)
    {
        if (await FindAsync(visit) is not { } account)
            return PageAnswer.NotFound;
        if (form.Text("reason", MaxReason, isRequired: true) is not { } reason)
            return await ShowStatusAsync(visit, account.Id, isSuspension, form, 400);
        var request = OperatorVisit.RequestOf(account.Id, form);
        AccountCommand command = isSuspension
            ? new SuspendAccount(account.Id, request, reason)
            : new ReinstateAccount(account.Id, request, reason);
        var verdict = await ledger.ExecuteAsync(command, visit.Caller);
        if (verdict.Refusal is { Code: var code })
        {
            form.Fault("reason", AdminErrors.Of(code).Message);
            return await ShowStatusAsync(visit, account.Id, isSuspension, form, 409);
        }

        return PageAnswer.SeeOther($"/operator/accounts/{account.Id}?done={(isSuspension ? "suspended" : "reinstated")}");
    }

    private async Task<PageAnswer> ShowGrantAsync(OperatorVisit visit, AccountId account, FormPost form, string? problem, int status) =>
        PageAnswer.Show<GrantPage, GrantModel>("Give funds", new(account, await EmailOfAsync(visit, account), form, problem), status);

    private async Task<PageAnswer> ShowStatusAsync(OperatorVisit visit, AccountId account, bool isSuspension, FormPost form, int status) =>
        PageAnswer.Show<StatusPage, StatusModel>(
            isSuspension ? "Suspend an account" : "Reinstate an account",
            new(account, await EmailOfAsync(visit, account), isSuspension, form),
            status
        );

    /// <summary>The account that the path names, with what is due lapsed; null where there is none.</summary>
    private async Task<Account?> FindAsync(OperatorVisit visit) => await FindAsync(ledger, time, visit.Route("id"));

    /// <summary>The account of an id, with what is due lapsed; null where there is none. What can be no id is not looked up.</summary>
    internal static async Task<Account?> FindAsync(LedgerService ledger, TimeProvider time, string id)
    {
        if (!Identifiers.IsLawful(id))
            return null;
        var account = (await ledger.ReadAsync(new(id))).Account;
        return account.Status == AccountStatus.Missing ? null : account.LapsedAt(LedgerTime.Later(time, account.LastAt));
    }

    private async Task<string?> EmailOfAsync(OperatorVisit visit, AccountId account) =>
        (await people.FindAsync(account, visit.Gone))?.Email;

    /// <summary>What an account has in a unit, packs apart.</summary>
    internal static AccountBalance BalanceOf(Account account, Unit unit, DateTimeOffset now) =>
        new(
            account.Wallet.Available(unit, now),
            new(account.Wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).Sum(pocket => pocket.Held), unit),
            account.Wallet.Debt(unit)
        );
}
