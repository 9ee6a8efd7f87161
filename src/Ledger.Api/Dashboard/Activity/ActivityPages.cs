using System.Globalization;
using Ledger.Api.Dialects.Accounts;
using Ledger.Api.Finance;
using Ledger.Api.Http;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dashboard.Activity;

/// <summary>What was used, from its rollups; the charges behind each figure, from the account's own stream; statements of months.</summary>
internal sealed class ActivityPages
{
    private const int PageSize = 50;
    private const int MostRows = 10_000;
    private const int MostDays = 92;

    // So many charges are looked through for one page of those of a key or a model, which no index knows.
    private const int MostLooked = 5000;

    private static readonly (string Name, ActivityGroups Group)[] Groups =
    [
        ("day", ActivityGroups.Day),
        ("model", ActivityGroups.Model),
        ("key", ActivityGroups.Key),
        ("tool", ActivityGroups.Tool),
    ];

    private readonly ActivityQueries _activity;
    private readonly SpendHistory _spends;
    private readonly FinanceEndpoints _finance;
    private readonly PageRenderer _pages;

    private ActivityPages(IServiceProvider services)
    {
        _activity = services.GetRequiredService<ActivityQueries>();
        _spends = services.GetRequiredService<SpendHistory>();
        _finance = new(services, isWrapped: true);
        _pages = services.GetRequiredService<PageRenderer>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = new ActivityPages(services);
        customers.Page("/activity", pages.ShowAsync);
        customers.Read("/activity.csv", pages.SendTableAsync);
        customers.Page("/activity/spends", pages.ShowSpendsAsync);
        customers.Page(
            "/activity/statements",
            async visit =>
                PageAnswer.Show<StatementsPage, StatementsModel>(
                    "Statements",
                    new(await pages._finance.MonthsOfAsync(visit.Account, visit.Now, visit.Gone))
                )
        );
        customers.Read("/activity/statements/{period}", visit => pages.SendStatementAsync(visit, "text/html"));
        customers.Read("/activity/statements/{period}.csv", visit => pages.SendStatementAsync(visit, "text/csv"));
        customers.Read("/activity/statements/{period}.json", visit => pages.SendStatementAsync(visit, "application/json"));
    }

    private async Task<PageAnswer> ShowAsync(CustomerVisit visit)
    {
        var range = RangeOf(visit);
        var (by, group) = Array.Find(Groups, known => known.Name == visit.Query("by")) is { Name: not null } known ? known : Groups[0];
        var ask = new ActivityAsk(visit.Account.Id, range.From, range.To, group, null);
        var total = await _activity.TotalAsync(ask, visit.Gone);
        var days = await _activity.ListAsync(ask with { Groups = ActivityGroups.Day }, null, MostRows, visit.Gone);
        var lines = group == ActivityGroups.Day ? days : await _activity.ListAsync(ask, null, MostRows, visit.Gone);
        var rows = lines.Select(line => RowOf(line, by, range));
        rows =
            group == ActivityGroups.Day
                ? rows.Reverse()
                : rows.OrderByDescending(row => row.Credits.Parts)
                    .ThenByDescending(row => row.Usd.Parts)
                    .ThenByDescending(row => row.Sums.Requests)
                    .ThenBy(row => row.Name, StringComparer.Ordinal);
        var page = Math.Max(1, WholeOf(visit.Query("page")) ?? 1);
        var here = $"/activity?{range.Query}&by={by}";
        return PageAnswer.Show<ActivityPage, ActivityModel>(
            "Activity",
            new(
                range,
                by,
                total,
                [.. await ChartsAsync(visit, ask, days)],
                [.. rows.Skip((int)Math.Min(page - 1, MostRows) * PageSize).Take(PageSize)],
                lines.Count,
                page > 1 ? here : null,
                page < MostRows && page * PageSize < lines.Count
                    ? string.Create(CultureInfo.InvariantCulture, $"{here}&page={page + 1}")
                    : null
            ),
            range.Form.IsValid ? 200 : 400
        );
    }

    private async Task SendTableAsync(CustomerVisit visit)
    {
        var faults = new JsonFaults();
        var days = WireDays.Read(visit.Query("from"), visit.Query("to"), visit.Now, faults);
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(visit.Context, faults);
            return;
        }

        // Without a name it is everything that is known of each day.
        var group = Array.Find(Groups, known => known.Name == visit.Query("by")).Group;
        if (group == ActivityGroups.None)
            group = ActivityGroups.Day | ActivityGroups.Model | ActivityGroups.Key | ActivityGroups.Tool;
        visit.Context.Response.Headers.CacheControl = "no-store";
        await ActivityApi.SendCsvAsync(visit.Context, _activity, new(visit.Account.Id, days.From, days.To, group, null));
    }

    private async Task<PageAnswer> ShowSpendsAsync(CustomerVisit visit)
    {
        var (range, query) = (RangeOf(visit), visit.Context.Request.Query);
        string? Wanted(string name) =>
            query[name] is [{ Length: <= 300 } value] && !value.Contains('\0', StringComparison.Ordinal) ? value : null;
        var (model, key, tool) = (Wanted("model"), Wanted("key"), Wanted("tool"));
        var account = visit.Account;
        var floor = await _spends.VersionAtAsync(account.Id, WireDate.StartOf(range.From), visit.Gone);
        var below = Math.Min(
            account.Version + 1,
            await _spends.VersionAtAsync(account.Id, WireDate.StartOf(range.To.AddDays(1)), visit.Gone)
        );
        var after = WholeOf(visit.Query("after"));
        if (after is { } version)
            below = Math.Min(below, version);

        var (lines, looked, isOver) = (new List<ChargeLine>(PageSize), 0, true);
        var wanted = new SpendFilter(string.IsNullOrEmpty(tool) ? null : tool, model, key);
        await foreach (var line in _spends.ReadBackAsync(account.Id, below, floor, wanted, visit.Gone))
        {
            // There is one more: whether it is of any interest, the next page says.
            if (lines.Count == PageSize || looked == MostLooked)
            {
                isOver = false;
                break;
            }

            (below, looked) = (line.Fact.Version, looked + 1);
            if (UsageDelta.Of(line.Fact) is { } use && (model is null || use.Model == model) && (key is null || use.Key.Value == key))
                lines.Add(LineOf(visit, line, use));
        }

        var here = SpendsHref(range.From, range.To, model, key, tool);
        return PageAnswer.Show<SpendsPage, SpendsModel>(
            "Charges",
            new(
                range,
                [.. FiltersOf(visit, model, key, tool)],
                [
                    .. ((IEnumerable<(string Name, string? Value)>)[("model", model), ("key", key), ("tool", tool)])
                        .Where(pair => pair.Value is not null)
                        .Select(pair => (pair.Name, pair.Value!)),
                ],
                lines,
                after is null ? null : here,
                isOver ? null : string.Create(CultureInfo.InvariantCulture, $"{here}&after={below}"),
                !isOver && lines.Count < PageSize
            ),
            range.Form.IsValid ? 200 : 400
        );
    }

    private async Task SendStatementAsync(CustomerVisit visit, string type)
    {
        if (
            type == "text/html"
            && (await _finance.MonthsOfAsync(visit.Account, visit.Now, visit.Gone)).All(month => month.Period != visit.Route("period"))
        )
        {
            await _pages.SendFaultAsync(visit.Context, 404, "There is nothing here", "There is no statement of this month.");
            return;
        }

        // The address says what is wanted; what a browser accepts is always a page.
        visit.Context.Request.Headers.Accept = type;
        await _finance.ShowStatementAsync(visit.Context, visit.Account, visit.Route("period"), null, null, "/activity/statements");
    }

    private static DayRange RangeOf(CustomerVisit visit)
    {
        var (form, faults, today) = (FormPost.Blank, new JsonFaults(), WireDate.DayOf(visit.Now));
        var (from, to) = (visit.Query("from"), visit.Query("to"));
        var days = WireDays.Read(from, to, visit.Now, faults);
        foreach (var fault in faults.All)
            form.Fault(fault.Path, char.ToUpperInvariant(fault.Message[0]) + fault.Message[1..] + ".");
        if (!faults.IsEmpty)
            days = new(today.AddDays(-29), today);
        return new(days.From, days.To, today, form, Asked(from, days.From), Asked(to, days.To));

        // A field for days shows no other text, and browsers complain of one.
        static string Asked(string? text, DateOnly day) =>
            text is null ? WireDate.Format(day)
            : DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) ? text
            : "";
    }

    private async Task<IReadOnlyList<UseChart>> ChartsAsync(CustomerVisit visit, ActivityAsk ask, IReadOnlyList<ActivityLine> days)
    {
        var used = ((Unit[])[Unit.Credits, Unit.Usd]).Where(unit => days.Any(line => In(line.Sums, unit).Parts != 0)).ToList();
        if (used.Count == 0)
            return [];
        var length = ask.To.DayNumber - ask.From.DayNumber + 1;
        var (step, starts, label) =
            length == 1
                ? (
                    "Hour",
                    Enumerable.Range(0, 24).Select(hour => WireDate.StartOf(ask.From).AddHours(hour)),
                    at => at.ToString("HH:mm", CultureInfo.InvariantCulture)
                )
            : length <= MostDays
                ? (
                    "Day",
                    Enumerable.Range(0, length).Select(day => WireDate.StartOf(ask.From.AddDays(day))),
                    at => Dashboard.Show.Day(WireDate.DayOf(at))
                )
            : (
                "Month",
                MonthsOf(ask.From, ask.To).Select(WireDate.StartOf),
                (Func<DateTimeOffset, string>)(at => at.ToString("MMM yyyy", CultureInfo.InvariantCulture))
            );
        var lines =
            step == "Hour" ? await _activity.ListAsync(ask with { Groups = ActivityGroups.Hour }, null, MostRows, visit.Gone) : days;
        DateTimeOffset StartOf(DateTimeOffset at) => step == "Month" ? new(at.Year, at.Month, 1, 0, 0, 0, TimeSpan.Zero) : at;
        return
        [
            .. used.Select(unit =>
            {
                var sums = lines
                    .GroupBy(line => StartOf(line.At!.Value.ToUniversalTime()))
                    .ToDictionary(same => same.Key, same => same.Sum(line => In(line.Sums, unit).Parts));
                return new UseChart(unit, step, [.. starts.Select(at => new ChartPoint(label(at), new(sums.GetValueOrDefault(at), unit)))]);
            }),
        ];
    }

    private static IEnumerable<DateOnly> MonthsOf(DateOnly from, DateOnly to)
    {
        for (var month = new DateOnly(from.Year, from.Month, 1); month <= to; month = month.AddMonths(1))
            yield return month;
    }

    private static UseRow RowOf(ActivityLine line, string by, DayRange range)
    {
        switch (by)
        {
            case "day":
                var day = WireDate.DayOf(line.At!.Value);
                return new(Dashboard.Show.Day(day), null, line.Sums, SpendsHref(day, day, null, null, null));
            case "model":
                return new(
                    line.Model is { Length: > 0 } model ? model : "Tools, without a model",
                    null,
                    line.Sums,
                    SpendsHref(range.From, range.To, line.Model, null, null)
                );
            case "key":
                return new(
                    line.Key is { Length: > 0 } key ? line.KeyName ?? key : "Signed in, without a key",
                    line.KeyName is null ? null : line.Key,
                    line.Sums,
                    SpendsHref(range.From, range.To, null, line.Key, null)
                );
            default:
                return new(line.Tool!, null, line.Sums, SpendsHref(range.From, range.To, null, null, line.Tool));
        }
    }

    private static ChargeLine LineOf(CustomerVisit visit, SpendLine line, in UsageDelta use)
    {
        var (reversed, tokens) = (line.Fact.Event as SpendReversed, use.Tokens);
        var input = tokens.Input + tokens.CacheRead + tokens.CacheWrite + tokens.CacheWrite1h;
        return new(
            line.Fact.At,
            reversed?.Spend.Value ?? line.Fact.Id,
            use.Tool,
            use.Model is { Length: > 0 } model ? model : null,
            NameOfKey(visit, use.Key.Value),
            line.Fact.Event switch
            {
                CreditsSpent e => e.Reference,
                HoldSettled e => e.Reference,
                HoldSettledLate e => e.Reference,
                _ => null,
            },
            reversed is not null ? "given back"
                : use.Model.Length > 0 ? $"{Dashboard.Show.Number(input)} in, {Dashboard.Show.Number(tokens.Output)} out"
                : $"× {use.Units}",
            reversed is null ? use.Charged : new(-use.Reversed.Parts, use.Reversed.Unit),
            reversed is not null
        );
    }

    private static IEnumerable<(string Name, string Value)> FiltersOf(CustomerVisit visit, string? model, string? key, string? tool)
    {
        if (model is not null)
            yield return ("Model", model.Length > 0 ? model : "none: tools");
        if (key is not null)
            yield return ("Key", NameOfKey(visit, key));
        if (tool is { Length: > 0 })
            yield return ("Tool", tool);
    }

    private static string NameOfKey(CustomerVisit visit, string key) =>
        string.IsNullOrEmpty(key) ? "Signed in, without a key" : visit.Account.Keys.Find(new(key))?.Name ?? key;

    private static string SpendsHref(DateOnly from, DateOnly to, string? model, string? key, string? tool) =>
        "/activity/spends?" + DayRange.QueryOf(from, to) + Part("model", model) + Part("key", key) + Part("tool", tool);

    private static string Part(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private static long? WholeOf(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static Amount In(ActivitySums sums, Unit unit) =>
        unit switch
        {
            Unit.Credits => new(sums.Credits + sums.PackCredits, unit),
            Unit.Usd => new(sums.Usd, unit),
        };
}
