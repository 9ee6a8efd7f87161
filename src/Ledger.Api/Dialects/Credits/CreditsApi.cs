using System.Globalization;
using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Notifications;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dialects.Credits;

/// <summary>The credits dialect, <c>/api/v1/credits</c>: balance, usage, multipliers, buying as one goes, and what happens when too little is left.</summary>
public sealed class CreditsApi
{
    private const int MaxUsage = 1000;
    private const int MaxOffset = 100_000;
    private readonly LedgerService _ledger;
    private readonly Entrance _entrance;
    private readonly PaymentDesk _desk;
    private readonly SpendHistory _spends;
    private readonly NotificationTargets _targets;

    private CreditsApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _entrance = services.GetRequiredService<Entrance>();
        _desk = services.GetRequiredService<PaymentDesk>();
        _spends = services.GetRequiredService<SpendHistory>();
        _targets = services.GetRequiredService<NotificationTargets>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new CreditsApi(app.Services);
        var credits = app.MapGroup("/api/v1/credits").WithTags("Credits");
        credits.MapGet("", (Delegate)api.ShowBalanceAsync).Describe<CreditBalance>("What the account may spend.");
        credits
            .MapGet("/usage", api.ListUsageAsync)
            .Describe<IReadOnlyList<CreditUsage>>("What was charged, newest first: one row per charge and source.", 422);
        credits
            .MapGet("/multipliers", (Delegate)api.ShowMultipliersAsync)
            .Describe<IReadOnlyDictionary<string, decimal>>("What one unit of each service costs, in credits.");
        credits.MapGet("/payg/info", (Delegate)api.ShowPaygAsync).Describe<PaygInfo>("Terms of buying as one goes.");
        credits
            .MapPost("/payg/create-checkout-session", (Delegate)api.CheckOutAsync)
            .Describe<CreditsCheckoutRequest, CreditsCheckout>("Opens a page on which credits can be bought.", 409, 422, 502);
        credits
            .MapPost("/estimate", (Delegate)api.EstimateAsync)
            .Describe<EstimateRequest, EstimateAnswer>("What work would cost; charges nothing.", 422);
        credits.MapGet("/alerts", (Delegate)api.ShowAlertsAsync).Describe<AlertsView>("What is told when too little is left.");
        credits
            .MapPut("/alerts", (Delegate)api.SetAlertsAsync)
            .Describe<AlertsRequest, AlertsView>("Changes it; only the members that are there.", 422);
        credits.MapGet("/auto-topup", (Delegate)api.ShowTopupAsync).Describe<AutoTopupView>("What is bought when too little is left.");
        credits
            .MapPut("/auto-topup", (Delegate)api.SetTopupAsync)
            .Describe<AutoTopupRequest, AutoTopupView>("Changes it; only the members that are there.", 409, 422);
    }

    private async Task ShowBalanceAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is not { } entry)
            return;
        await ApiErrors.SendAsync(context, 200, CreditsTranslation.ToBalance(entry.Account, entry.Now), CreditsJson.Default.CreditBalance);
    }

    private async Task ListUsageAsync(HttpContext context, string? limit, string? offset, string? service_type, string? from, string? to)
    {
        if (await EnterAsync(context, null) is not { } entry)
            return;
        var faults = new JsonFaults();
        var take = Whole(limit, "limit", 1, MaxUsage, MaxUsage, faults);
        var skip = Whole(offset, "offset", 0, MaxOffset, 0, faults);
        var first = Time(from, "from", faults);
        var last = Time(to, "to", faults);
        if (service_type is { Length: 0 or > 100 } || service_type?.Contains('\0', StringComparison.Ordinal) == true)
            faults.Add("service_type", "must be the name of a service");
        if (first >= last)
            faults.Add("to", "must be later than from");
        if (!faults.IsEmpty)
        {
            await CreditsErrors.SendAsync(context, "query", faults);
            return;
        }

        var account = entry.Account;
        var floor = first is { } start ? await _spends.VersionAtAsync(account.Id, start, context.RequestAborted) : 1;

        // Nothing that came after the account was read: its pockets are not among those known here.
        var below = account.Version + 1;
        if (last is { } end)
            below = Math.Min(below, await _spends.VersionAtAsync(account.Id, end, context.RequestAborted));
        var sources = account.Wallet.Pockets.ToDictionary(pocket => pocket.Id, pocket => CreditsTranslation.SourceName(pocket.Source));
        var rows = new List<UsageRow>(Math.Min(take, 100));
        var lines = _spends.ReadBackAsync(account.Id, below, floor, new(service_type, IsOfCredits: true), context.RequestAborted);
        await foreach (var line in lines)
        {
            foreach (var row in RowsOf(account.Id, line, sources))
            {
                if (skip > 0)
                    skip--;
                else if (rows.Count < take)
                    rows.Add(row);
            }

            if (rows.Count == take)
                break;
        }

        await JsonAnswer.SendAsync(
            context,
            200,
            (rows, Wallet: WalletId(account.Id)),
            static (json, state) =>
            {
                json.WriteStartArray();
                foreach (var row in state.rows)
                    Write(json, row, state.Wallet);
                json.WriteEndArray();
            }
        );
    }

    private async Task ShowMultipliersAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is not { } entry)
            return;
        await JsonAnswer.SendAsync(
            context,
            200,
            entry.Card,
            static (json, card) =>
            {
                json.WriteStartObject();
                foreach (var service in card.Document.Services)
                {
                    json.WritePropertyName(service.Name);
                    json.WriteRawValue(service.Credits.ToString());
                }

                json.WriteEndObject();
            }
        );
    }

    private async Task ShowPaygAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is not { } entry)
            return;
        var terms = entry.Card.Document.Payg;
        await ApiErrors.SendAsync(
            context,
            200,
            new(WireNumber.Of(terms.CreditsPerDollar), terms.MinAmountUsd, terms.MaxAmountUsd, terms.Currency),
            CreditsJson.Default.PaygInfo
        );
    }

    private async Task CheckOutAsync(HttpContext context)
    {
        if (await EnterAsync(context, KeyKind.Inference) is not { } entry)
            return;
        var terms = entry.Card.Document.Payg;
        var amount = default(Amount);
        if (!await ReadAsync(context, (body, faults) => amount = body.Dollars("amount_usd", terms.MinAmountUsd, terms.MaxAmountUsd)))
            return;
        Checkout checkout;
        try
        {
            checkout = await _desk.OpenAsync(
                entry.Account.Id,
                entry.Identity.By,
                OrderKind.Payg,
                null,
                amount,
                ServerAddress.Of(context),
                CallerOf(context, entry),
                context.RequestAborted
            );
        }
        catch (PaymentProviderException)
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.ProviderAway);
            return;
        }

        if (checkout is not { Order: { } order, Page: { } page })
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.Of(checkout.Refusal!.Value));
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(page.Session, CreditsTranslation.Exact(order.Gives!.Value.Parts), CreditsTranslation.ExactUsd(order.Price.Parts), page.Url),
            CreditsJson.Default.CreditsCheckout
        );
    }

    private async Task EstimateAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is not { } entry)
            return;
        var (service, asked) = ("", new List<(string Name, string Text, Quantity Amount)>());
        var isLawful = await ReadAsync(
            context,
            (body, faults) =>
            {
                service = body.Text("service_type", 100, required: true) ?? "";
                foreach (var name in (string[])["duration", "characters", "units"])
                {
                    if (body.Number(name) is not { } text)
                        continue;
                    if (Quantity.TryParse(text, out var amount) && amount.IsPositive)
                        asked.Add((name, text, amount));
                    else
                        faults.Add(name, "must be a number of more than 0 and at most 1000000000, with at most nine places");
                }

                if (asked.Count > 1)
                    faults.Add("units", "must stand alone: one of duration, characters and units says how much work it is");
            }
        );
        if (!isLawful)
            return;
        if (entry.Card.FindTool(service) is not { } tool)
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.Of(RejectionCode.UnknownTool));
            return;
        }

        if (Estimate.UnitsOf(tool, asked is [var only] ? (only.Name, only.Amount) : null) is not { } units)
        {
            var faults = new JsonFaults();
            faults.Add(asked is [var wrong] ? wrong.Name : "units", $"{tool.Name} is priced per {tool.Per}");
            await CreditsErrors.SendAsync(context, "body", faults);
            return;
        }

        if (Charge.WholeCredits(units, tool.Credits) is not { } cost)
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.Of(RejectionCode.AmountOutOfRange));
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(
                tool.Name,
                CreditsTranslation.Exact(cost.Parts),
                Estimate.UsdOf(cost, entry.Card),
                asked.ToDictionary(one => one.Name, one => WireNumber.Of(one.Amount))
            ),
            CreditsJson.Default.EstimateAnswer
        );
    }

    private async Task ShowAlertsAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is { } entry)
            await SendAlertsAsync(context, entry.Account.Id, null);
    }

    private async Task SetAlertsAsync(HttpContext context)
    {
        if (await EnterAsync(context, KeyKind.Inference) is not { } entry)
            return;
        var (alerts, target) = (entry.Account.Alerts, await _targets.GetAsync(entry.Account.Id, context.RequestAborted));
        var (warning, critical, url, byMail) = (alerts.Warning, alerts.Critical, target?.Url, target?.ByMail ?? false);
        var isLawful = await ReadAsync(
            context,
            (body, faults) =>
            {
                warning = Threshold(body, "warning_threshold", warning, faults);
                critical = Threshold(body, "critical_threshold", critical, faults);
                if (body.IsNull("webhook_url"))
                    url = null;
                if (body.Text("webhook_url", 2000) is { } address)
                {
                    url = address;
                    if (NotificationTargets.FaultOf(address) is { } fault)
                        faults.Add("webhook_url", fault);
                }

                byMail = body.Flag("email") ?? byMail;
                if (critical?.Parts > warning?.Parts)
                    faults.Add("critical_threshold", "must not be more than warning_threshold");
            }
        );
        if (!isLawful)
            return;
        var account = entry.Account.Id;
        var command = new SetAlerts(account, RequestOf(context, entry), warning, critical) { By = entry.Identity.By };
        if ((await _ledger.ExecuteAsync(command, CallerOf(context, entry))).Refusal is { } refusal)
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.Of(refusal.Code));
            return;
        }

        var secret = await _targets.SetAsync(account, url, byMail, context.RequestAborted);
        await SendAlertsAsync(context, account, secret);
    }

    private async Task SendAlertsAsync(HttpContext context, AccountId id, string? secret)
    {
        var alerts = (await _ledger.ReadAsync(id)).Account.Alerts;
        var target = await _targets.GetAsync(id, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                alerts.Warning is { } warning ? CreditsTranslation.Exact(warning.Parts) : null,
                alerts.Critical is { } critical ? CreditsTranslation.Exact(critical.Parts) : null,
                target?.Url,
                target?.ByMail ?? false,
                alerts.Level switch
                {
                    BalanceLevel.Ok => "ok",
                    BalanceLevel.Warning => "warning",
                    BalanceLevel.Critical => "critical",
                },
                secret
            ),
            CreditsJson.Default.AlertsView
        );
    }

    private async Task ShowTopupAsync(HttpContext context)
    {
        if (await EnterAsync(context, null) is { } entry)
            await ApiErrors.SendAsync(context, 200, ToView(entry.Account.AutoTopup, entry.Now), CreditsJson.Default.AutoTopupView);
    }

    private async Task SetTopupAsync(HttpContext context)
    {
        if (await EnterAsync(context, KeyKind.Inference) is not { } entry)
            return;
        var (topup, terms) = (entry.Account.AutoTopup, entry.Card.Document.Payg);
        var (isOn, threshold, price, times) = (topup.IsOn, topup.Threshold, topup.Price, topup.MaxPerDay);
        var isLawful = await ReadAsync(
            context,
            (body, faults) =>
            {
                isOn = body.Flag("enabled") ?? isOn;
                threshold = Threshold(body, "threshold_credits", threshold, faults) ?? Amount.Zero(Unit.Credits);
                if (body.Has("amount_usd"))
                    price = body.Dollars("amount_usd", terms.MinAmountUsd, terms.MaxAmountUsd);
                else if (isOn && !price.IsPositive)
                    faults.Add("amount_usd", "is required");
                times = (int)(body.Whole("max_per_day", 1, AutoTopup.MostPerDay) ?? (times > 0 ? times : 1));
            }
        );
        if (!isLawful)
            return;
        var command = new SetAutoTopup(entry.Account.Id, RequestOf(context, entry), isOn, threshold, price, times, _desk.Provider.Name)
        {
            By = entry.Identity.By,
        };
        if ((await _ledger.ExecuteAsync(command, CallerOf(context, entry))).Refusal is { } refusal)
        {
            await CreditsErrors.SendAsync(context, CreditsErrors.Of(refusal.Code));
            return;
        }

        var after = (await _ledger.ReadAsync(entry.Account.Id)).Account.AutoTopup;
        await ApiErrors.SendAsync(context, 200, ToView(after, entry.Now), CreditsJson.Default.AutoTopupView);
    }

    private static AutoTopupView ToView(AutoTopup topup, DateTimeOffset now) =>
        new(
            topup.IsOn,
            CreditsTranslation.Exact(topup.Threshold.Parts),
            CreditsTranslation.ExactUsd(topup.Price.Parts),
            topup.MaxPerDay,
            !topup.IsOn ? "off"
                : topup.Pending is not null ? "pending"
                : topup.RetryAt > now ? "backing_off"
                : topup.IsArmed ? "armed"
                : "bought",
            topup.RetryAt > now ? topup.RetryAt : null
        );

    private async Task<Entry?> EnterAsync(HttpContext context, KeyKind? needed)
    {
        var entry = await _entrance.EnterAsync(context, needed);
        if (entry.IsOpen)
            return entry;
        await CreditsErrors.SendAsync(context, entry);
        return null;
    }

    private static Caller CallerOf(HttpContext context, in Entry entry) => new(entry.Identity.Actor, context.TraceIdentifier);

    private static Guid RequestOf(HttpContext context, in Entry entry) => EventIds.Request(entry.Account.Id, context.TraceIdentifier);

    /// <summary>Reads a body; where something is wrong with it, answers that with every fault.</summary>
    private static async Task<bool> ReadAsync(HttpContext context, Action<JsonMembers, JsonFaults> read)
    {
        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        if (document is null)
        {
            await CreditsErrors.SendAsync(context, new CreditsError(400, faults.All[0].Message));
            return false;
        }

        var body = new JsonMembers(document.RootElement, "", faults);
        read(body, faults);
        body.End();
        if (faults.IsEmpty)
            return true;
        await CreditsErrors.SendAsync(context, "body", faults);
        return false;
    }

    private static Amount? Threshold(JsonMembers body, string name, Amount? before, JsonFaults faults)
    {
        if (body.IsNull(name))
        {
            body.Take(name);
            return null;
        }

        if (body.Number(name) is not { } text)
            return before;
        if (Amount.TryParse(text, Unit.Credits, out var amount))
            return amount;
        faults.Add(name, "must be credits, 0 or more, with at most six places");
        return before;
    }

    private static int Whole(string? text, string name, int min, int max, int standard, JsonFaults faults)
    {
        if (text is null)
            return standard;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        faults.Add(name, string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {min} to {max}"));
        return standard;
    }

    /// <summary>A time, or a UTC date, which begins at midnight.</summary>
    private static DateTimeOffset? Time(string? text, string name, JsonFaults faults)
    {
        if (text is null)
            return null;
        if (WireTime.TryParse(text, out var at))
            return at;
        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            return new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
        faults.Add(name, "must be a date such as 2026-07-03, or a time such as 2026-07-03T12:00:00Z");
        return null;
    }

    private static Guid WalletId(AccountId account) => EventIds.Derive(account, "wallet");

    /// <summary>One row per source, in the order in which they paid; what nothing covered last.</summary>
    private static IEnumerable<UsageRow> RowsOf(AccountId account, SpendLine line, Dictionary<PocketId, string> sources)
    {
        if (line.Unit != Unit.Credits)
            yield break;
        var paid = line
            .Paid.Select(share => (Source: sources[share.Pocket], share.Parts))
            .Append((Source: "debt", Parts: line.Debt))
            .GroupBy(share => share.Source)
            .Select(same => (Source: same.Key, Parts: same.Sum(share => share.Parts)))
            .Where(same => same.Parts != 0)
            .ToList();

        // What cost nothing, because free is a price, is a row all the same.
        if (paid.Count == 0)
            paid.Add(("subscription", 0));
        foreach (var (i, (source, parts)) in paid.Index())
        {
            yield return new(
                i == 0 ? line.Fact.Id : EventIds.Derive(account, "usage-row", line.Fact.Id.ToString(), source),
                line,
                source,
                line.IsReversal ? -parts : parts
            );
        }
    }

    private static void Write(Utf8JsonWriter json, UsageRow row, Guid wallet)
    {
        json.WriteStartObject();
        json.WriteString("id", row.Id);
        json.WriteString("user_credits_id", wallet);
        json.WriteNumber("credits_used", CreditsTranslation.Exact(row.Parts));
        json.WriteString("service_type", row.Line.Tool);
        json.WritePropertyName("audio_duration");
        json.WriteRawValue(row.Line.AudioDuration?.ToString() ?? "0");
        json.WriteString("credit_source", row.Source);
        json.WriteString("created_at", WireTime.Format(row.Line.Fact.At));
        json.WritePropertyName("usage_metadata");
        if (row.Line.Fact.Event is SpendReversed reversed)
        {
            json.WriteStartObject();
            json.WriteString("reverses", reversed.Spend.Value);
            json.WriteEndObject();
        }
        else
        {
            json.WriteRawValue(row.Line.Metadata ?? "{}");
        }

        json.WriteEndObject();
    }

    private readonly record struct UsageRow(Guid Id, SpendLine Line, string Source, long Parts);
}
