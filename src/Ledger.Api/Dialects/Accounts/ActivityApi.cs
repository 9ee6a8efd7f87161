using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>What an account's keys, tools and models used, from rollups by the hour; as JSON by pages, or all of it as CSV.</summary>
public sealed class ActivityApi
{
    private const int Standard = 1000;
    private const int Most = 10_000;

    private static readonly (string Name, ActivityGroups Group)[] Groups =
    [
        ("day", ActivityGroups.Day),
        ("hour", ActivityGroups.Hour),
        ("model", ActivityGroups.Model),
        ("key", ActivityGroups.Key),
        ("tool", ActivityGroups.Tool),
        ("environment", ActivityGroups.Environment),
    ];

    private readonly KeyEndpoints _keys;
    private readonly ActivityQueries _activity;
    private readonly TimeProvider _time;

    private ActivityApi(IServiceProvider services)
    {
        _keys = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _activity = services.GetRequiredService<ActivityQueries>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the route.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new ActivityApi(app.Services);
        app.MapGroup("/v1/account")
            .WithTags("Account")
            .MapGet("/activity", api.ShowAsync)
            .Describe<ActivityPage>("What was used, by day, hour, model, key, tool or environment; CSV where that is wanted.", 200, 400);
    }

    private async Task ShowAsync(
        HttpContext context,
        string? from,
        string? to,
        string? group_by,
        string? key_id,
        string? limit,
        string? cursor
    )
    {
        if (await _keys.EnterAsync(context) is not var (account, _))
            return;
        var faults = new JsonFaults();
        var days = WireDays.Read(from, to, LedgerTime.Later(_time, account.LastAt), faults);
        var groups = GroupsOf(group_by, faults);
        var after = CursorOf(cursor, faults);
        var size = Standard;
        if (
            limit is not null
            && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size is >= 1 and <= Most)
        )
            faults.Add("limit", string.Create(CultureInfo.InvariantCulture, $"must be a whole number from 1 to {Most}"));
        if (key_id is { Length: > 200 } || key_id?.Contains('\0', StringComparison.Ordinal) == true)
            faults.Add("key_id", "must be the id of a key");
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var ask = new ActivityAsk(account.Id, days.From, days.To, groups, key_id is null ? null : new KeyId(key_id));
        if (CsvAnswer.IsWanted(context))
        {
            await SendCsvAsync(context, _activity, ask);
            return;
        }

        var lines = await _activity.ListAsync(ask, after, size + 1, context.RequestAborted);
        var total = await _activity.TotalAsync(ask, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                [.. lines.Take(size).Select(line => RowOf(line, groups))],
                TotalsOf(total),
                lines.Count > size ? CursorOf(lines[size - 1]) : null
            ),
            ActivityJson.Default.ActivityPage
        );
    }

    /// <summary>All of it as CSV, for the dashboard too.</summary>
    internal static async Task SendCsvAsync(HttpContext context, ActivityQueries activity, ActivityAsk ask)
    {
        var file = $"activity-{WireDate.Format(ask.From)}-{WireDate.Format(ask.To)}";
        await using var csv = await CsvAnswer.BeginAsync(
            context,
            file,
            "date",
            "model",
            "tool",
            "key_id",
            "key_name",
            "environment",
            "requests",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "quota_tokens",
            "credits",
            "usd_micros",
            "pack_credits"
        );
        ActivityLine? after = null;
        while (await activity.ListAsync(ask, after, Most, context.RequestAborted) is { Count: > 0 } lines)
        {
            foreach (var row in lines.Select(line => RowOf(line, ask.Groups)))
                await csv.WriteAsync(
                    row.Date,
                    row.Model,
                    row.Tool,
                    row.KeyId,
                    row.KeyName,
                    row.Environment,
                    row.Requests,
                    row.InputTokens,
                    row.OutputTokens,
                    row.CachedTokens,
                    row.QuotaTokens,
                    row.Credits,
                    row.UsdMicros,
                    row.PackCredits
                );
            if (lines.Count < Most)
                break;
            after = lines[^1];
        }
    }

    private static ActivityGroups GroupsOf(string? text, JsonFaults faults)
    {
        if (text is null)
            return ActivityGroups.Day | ActivityGroups.Model;
        var groups = ActivityGroups.None;
        foreach (var name in text.Split([',', '|'], StringSplitOptions.TrimEntries))
        {
            var group = Array.Find(Groups, known => known.Name == name).Group;
            if (group == ActivityGroups.None)
                faults.Add("group_by", "must be a list of day, hour, model, key, tool and environment");
            groups |= group;
        }

        return groups;
    }

    private static ActivityRow RowOf(ActivityLine line, ActivityGroups groups)
    {
        var (totals, at) = (TotalsOf(line.Sums), line.At);
        return new(
            at is null ? null
                : groups.HasFlag(ActivityGroups.Hour) ? WireTime.Format(at.Value)
                : WireDate.Format(WireDate.DayOf(at.Value)),
            line.Model is { Length: > 0 } model ? model : null,
            line.Tool,
            line.Key is { Length: > 0 } key ? key : null,
            line.KeyName,
            line.Environment is { Length: > 0 } environment ? environment : null,
            totals.Requests,
            totals.InputTokens,
            totals.OutputTokens,
            totals.CachedTokens,
            totals.QuotaTokens,
            totals.Credits,
            totals.UsdMicros,
            totals.PackCredits
        );
    }

    private static ActivityTotals TotalsOf(in ActivitySums sums) =>
        new(
            sums.Requests,
            sums.InputTokens + sums.CacheReadTokens + sums.CacheWriteTokens,
            sums.OutputTokens,
            sums.CacheReadTokens,
            sums.QuotaTokens,
            WireNumber.Of(sums.Credits, Unit.Credits),
            (decimal)sums.Usd / 1000,
            WireNumber.Of(sums.PackCredits, Unit.Credits)
        );

    /// <summary>A line's place: what it is grouped by, which nobody has to understand.</summary>
    private static string CursorOf(ActivityLine line) =>
        Convert
            .ToBase64String(
                JsonSerializer.SerializeToUtf8Bytes(
                    [
                        line.At is { } at ? WireTime.Format(at) : "",
                        line.Model ?? "",
                        line.Tool ?? "",
                        line.Key ?? "",
                        line.Environment ?? "",
                    ],
                    ActivityJson.Default.StringArray
                )
            )
            .TrimEnd('=')
            .Replace('+', '-')
            .Replace('/', '_');

    private static ActivityLine? CursorOf(string? cursor, JsonFaults faults)
    {
        if (cursor is null)
            return null;
        try
        {
            var text = cursor.Replace('-', '+').Replace('_', '/');
            var bytes = Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
            if (
                JsonSerializer.Deserialize(bytes, ActivityJson.Default.StringArray)
                    is [{ } at, { } model, { } tool, { } key, { } environment] parts
                && !parts.Any(part => part.Contains('\0', StringComparison.Ordinal))
            )
            {
                if (at.Length == 0)
                    return new(null, model, tool, key, null, environment, default);
                if (WireTime.TryParse(at, out var time))
                    return new(time, model, tool, key, null, environment, default);
            }
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            // Said below.
        }

        faults.Add("cursor", "must be the next of the page before");
        return null;
    }
}

/// <summary>A page of activity.</summary>
/// <param name="Data">The lines, in the order of their time.</param>
/// <param name="Totals">All of the range, other pages included.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record ActivityPage(IReadOnlyList<ActivityRow> Data, ActivityTotals Totals, string? Next);

/// <summary>One line. What it is not grouped by is null.</summary>
/// <param name="Date">The UTC day, or the hour's beginning.</param>
/// <param name="Model">The provider/model; null for tools.</param>
/// <param name="Tool">The tool, or a call's route.</param>
/// <param name="KeyId">The key.</param>
/// <param name="KeyName">Its name now.</param>
/// <param name="Environment">Its label now.</param>
/// <param name="Requests">How many charges.</param>
/// <param name="InputTokens">Everything that went in, cached or not.</param>
/// <param name="OutputTokens">Output.</param>
/// <param name="CachedTokens">What of the input was read from a cache.</param>
/// <param name="QuotaTokens">What of all tokens a subscription's quota paid.</param>
/// <param name="Credits">Credits, less what was given back.</param>
/// <param name="UsdMicros">Millionths of a dollar, less what was given back.</param>
/// <param name="PackCredits">Credits of packs, less what was given back.</param>
public sealed record ActivityRow(
    string? Date,
    string? Model,
    string? Tool,
    string? KeyId,
    string? KeyName,
    string? Environment,
    long Requests,
    long InputTokens,
    long OutputTokens,
    long CachedTokens,
    long QuotaTokens,
    decimal Credits,
    decimal UsdMicros,
    decimal PackCredits
);

/// <summary>Sums.</summary>
/// <param name="Requests">How many charges.</param>
/// <param name="InputTokens">Everything that went in, cached or not.</param>
/// <param name="OutputTokens">Output.</param>
/// <param name="CachedTokens">What of the input was read from a cache.</param>
/// <param name="QuotaTokens">What of all tokens a subscription's quota paid.</param>
/// <param name="Credits">Credits, less what was given back.</param>
/// <param name="UsdMicros">Millionths of a dollar, less what was given back.</param>
/// <param name="PackCredits">Credits of packs, less what was given back.</param>
public sealed record ActivityTotals(
    long Requests,
    long InputTokens,
    long OutputTokens,
    long CachedTokens,
    long QuotaTokens,
    decimal Credits,
    decimal UsdMicros,
    decimal PackCredits
);

/// <summary>Writes them: snake_case, nulls included.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ActivityPage))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class ActivityJson : JsonSerializerContext;
