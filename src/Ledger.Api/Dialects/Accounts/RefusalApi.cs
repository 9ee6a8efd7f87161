using System.Text;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Decisions;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Keys;
using Ledger.Projections.Refusals;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>How much an account was refused, by key and code; as JSON by pages, or all of it as CSV.</summary>
public sealed class RefusalApi
{
    private const int CsvPage = 10_000;
    private static readonly (string Name, RefusalStep Step)[] Steps =
    [
        ("minute", RefusalStep.Minute),
        ("hour", RefusalStep.Hour),
        ("day", RefusalStep.Day),
    ];

    private readonly KeyEndpoints _door;
    private readonly RefusalRecords _records;
    private readonly RefusalWriter _writer;
    private readonly TimeProvider _time;

    private RefusalApi(IServiceProvider services)
    {
        _door = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _records = services.GetRequiredService<RefusalRecords>();
        _writer = services.GetRequiredService<RefusalWriter>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the route.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new RefusalApi(app.Services);
        app.MapGet("/v1/account/refusals", api.ShowAsync)
            .WithTags("Account")
            .Describe<RefusalPage>("How much was refused, by key and code; CSV where that is wanted.", 200, 400);
    }

    private async Task ShowAsync(
        HttpContext context,
        string? from,
        string? to,
        string? key_id,
        string? code,
        string? group_by,
        string? limit,
        string? cursor
    )
    {
        if (await _door.EnterAsync(context) is not var (account, _))
            return;
        var faults = new JsonFaults();
        var days = WireDays.Read(from, to, LedgerTime.Later(_time, account.LastAt), faults);
        var step = group_by is null ? RefusalStep.Day : Array.Find(Steps, known => known.Name == group_by).Step;
        if (group_by is not null && !Array.Exists(Steps, known => known.Name == group_by))
            faults.Add("group_by", "must be minute, hour or day");
        foreach (var (name, text) in (ReadOnlySpan<(string, string?)>)[("key_id", key_id), ("code", code)])
        {
            if (text?.Contains('\0', StringComparison.Ordinal) == true)
                faults.Add(name, "must be printable");
        }

        var after = CursorOf(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        var ask = new RefusalAsk(account.Id, days.From, days.To, step, key_id, code);

        // What this node has refused a moment ago counts.
        await _writer.WriteAsync(context.RequestAborted);
        if (CsvAnswer.IsWanted(context))
        {
            await SendCsvAsync(context, ask);
            return;
        }

        var lines = await _records.ListAsync(ask, after, size + 1, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                [.. lines.Take(size).Select(line => RowOf(line, step))],
                new(await _records.TotalAsync(ask, context.RequestAborted)),
                lines.Count > size ? CursorOf(lines[size - 1]) : null
            ),
            RefusalJson.Default.RefusalPage
        );
    }

    private async Task SendCsvAsync(HttpContext context, RefusalAsk ask)
    {
        var file = $"refusals-{WireDate.Format(ask.From)}-{WireDate.Format(ask.To)}";
        await using var csv = await CsvAnswer.BeginAsync(context, file, "at", "key_id", "key_name", "code", "count");
        RefusalLine? after = null;
        while (await _records.ListAsync(ask, after, CsvPage, context.RequestAborted) is { Count: > 0 } lines)
        {
            foreach (var row in lines.Select(line => RowOf(line, ask.Step)))
                await csv.WriteAsync(row.At, row.KeyId, row.KeyName, row.Code, row.Count);
            if (lines.Count < CsvPage)
                break;
            after = lines[^1];
        }
    }

    private static RefusalRow RowOf(RefusalLine line, RefusalStep step) =>
        new(
            step == RefusalStep.Day ? WireDate.Format(WireDate.DayOf(line.At)) : WireTime.Format(line.At),
            line.Key.Length == 0 ? null : line.Key,
            line.KeyName,
            line.Code,
            line.Count
        );

    /// <summary>A line's place, which nobody has to understand.</summary>
    private static string CursorOf(RefusalLine line) =>
        Convert.ToHexStringLower(Encoding.UTF8.GetBytes($"{WireTime.Format(line.At)}\n{line.Key}\n{line.Code}"));

    private static RefusalLine? CursorOf(string? cursor, JsonFaults faults)
    {
        if (cursor is null)
            return null;
        try
        {
            if (
                Encoding.UTF8.GetString(Convert.FromHexString(cursor)).Split('\n') is [var at, var key, var code]
                && WireTime.TryParse(at, out var time)
                && !key.Contains('\0', StringComparison.Ordinal)
                && !code.Contains('\0', StringComparison.Ordinal)
            )
                return new(time, key, code, null, 0);
        }
        catch (FormatException)
        {
            // Said below.
        }

        faults.Add("cursor", "must be the next of the page before");
        return null;
    }
}

/// <summary>A page of refusals.</summary>
/// <param name="Data">The lines, in the order of their time.</param>
/// <param name="Totals">All of the range, other pages included.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record RefusalPage(IReadOnlyList<RefusalRow> Data, RefusalTotals Totals, string? Next);

/// <summary>One line.</summary>
/// <param name="At">The UTC day, or the beginning of the hour or minute.</param>
/// <param name="KeyId">The key; null for none.</param>
/// <param name="KeyName">Its name now.</param>
/// <param name="Code">Why.</param>
/// <param name="Count">How often.</param>
public sealed record RefusalRow(string At, string? KeyId, string? KeyName, string Code, long Count);

/// <summary>Sums.</summary>
/// <param name="Count">How often.</param>
public sealed record RefusalTotals(long Count);

/// <summary>Writes them: snake_case, nulls included.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RefusalPage))]
internal sealed partial class RefusalJson : JsonSerializerContext;
