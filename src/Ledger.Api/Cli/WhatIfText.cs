using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsvHelper;
using Ledger.Api.Http;
using Ledger.Domain.Money;
using Ledger.Projections.Pricing;

namespace Ledger.Api.Cli;

/// <summary>What another rate card would have come to, as it is printed. Amounts are exact decimal strings, in the unit beside them.</summary>
internal static class WhatIfText
{
    private static readonly string[] Heads =
    [
        "account",
        "day",
        "what",
        "paid_by",
        "unit",
        "charges",
        "reversals",
        "old",
        "new",
        "difference",
        "lacks",
    ];

    /// <summary>As a table with totals.</summary>
    public static string ToTable(WhatIfReport report)
    {
        var text = new StringBuilder();
        Table(text, [Heads[..^1], .. report.Lines.Select(line => Cells(line)[..^1])]);
        text.Append('\n');
        foreach (var line in report.Totals)
        {
            var cells = Cells(line);
            text.Append(
                CultureInfo.InvariantCulture,
                $"In all, {cells[4]} from {cells[3]}: {cells[5]} charges, {cells[6]} reversals; {cells[7]} was charged, {cells[8]} would be, difference {cells[9]}.\n"
            );
        }

        if (report.Lines.Count == 0)
            text.Append("Nothing was charged that the card has a price for.\n");
        if (report.Unpriced.Count > 0)
        {
            text.Append("\nThe card has no price for these; they are in no sum above:\n");
            string[] Shown(string[] cells) => [.. cells[..8], cells[10]];
            Table(text, [Shown(Heads), .. report.Unpriced.Select(line => Shown(Cells(line)))]);
        }

        return text.ToString();
    }

    /// <summary>As CSV: a line without a price has neither <c>new</c> nor <c>difference</c>, and says what the card lacks.</summary>
    public static async Task<string> ToCsvAsync(WhatIfReport report, CancellationToken ct)
    {
        using var bytes = new MemoryStream();
        await using (var csv = CsvWriter.Create(bytes, new() { Injection = CsvInjection.Escape }, leaveOpen: true))
        {
            await csv.WriteRecordAsync(Heads, ct);
            foreach (var line in report.Lines.Concat(report.Unpriced))
            {
                var cells = Cells(line);
                for (var i = 0; i < cells.Length; i++)
                {
                    // Numbers are numbers to whoever reads it, negative ones too.
                    if (i is >= 5 and <= 9 && decimal.TryParse(cells[i], NumberStyles.Number, CultureInfo.InvariantCulture, out var number))
                        csv.WriteField(number);
                    else
                        csv.WriteField(cells[i]);
                }

                await csv.EndRecordAsync(ct);
            }

            await csv.FlushAsync(ct);
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>As JSON.</summary>
    public static string ToJson(WhatIfReport report)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("from", WireTime.Format(report.From));
            json.WriteString("to", WireTime.Format(report.To));
            Array(json, "lines", report.Lines);
            Array(json, "unpriced", report.Unpriced);
            Array(json, "totals", report.Totals);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static void Array(Utf8JsonWriter json, string name, IReadOnlyList<WhatIfLine> lines)
    {
        json.WriteStartArray(name);
        foreach (var line in lines)
        {
            var cells = Cells(line);
            json.WriteStartObject();
            for (var i = 0; i < cells.Length; i++)
            {
                if (i is 5 or 6)
                    json.WriteNumber(Heads[i], i == 5 ? line.Sums.Charges : line.Sums.Reversals);
                else if (cells[i].Length > 0)
                    json.WriteString(Heads[i], cells[i]);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string[] Cells(WhatIfLine line)
    {
        var (key, sums) = (line.Key, line.Sums);
        return
        [
            key.Account,
            key.Day is { } day ? WireDate.Format(day) : "",
            key.What,
            key.Source is { } source ? EventStore.EventTypes.SnakeCase(source.ToString()) : "",
            key.Unit.Name(),
            sums.Charges.ToString(CultureInfo.InvariantCulture),
            sums.Reversals.ToString(CultureInfo.InvariantCulture),
            Amount(sums.Old, key.Unit),
            key.Lacks is null ? Amount(sums.New, key.Unit) : "",
            key.Lacks is null ? Amount(sums.Difference, key.Unit) : "",
            key.Lacks ?? "",
        ];
    }

    /// <summary>A sum over all accounts may be more than one amount can be.</summary>
    private static string Amount(Int128 parts, Unit unit)
    {
        var (whole, rest) = Int128.DivRem(Int128.Abs(parts), unit.PartsPerWhole());
        var text = (parts < 0 ? "-" : "") + whole.ToString(CultureInfo.InvariantCulture);
        return rest == 0 ? text : text + "." + rest.ToString(CultureInfo.InvariantCulture).PadLeft(unit.Places(), '0').TrimEnd('0');
    }

    private static void Table(StringBuilder text, IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            var cells = row.Select(
                (cell, column) => IsNumber(rows[0][column]) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column])
            );
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }

        static bool IsNumber(string head) => head is "charges" or "reversals" or "old" or "new" or "difference";
    }
}
