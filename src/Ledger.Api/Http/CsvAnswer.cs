using CsvHelper;

namespace Ledger.Api.Http;

/// <summary>Tables as CSV (RFC 4180), for spreadsheets: no cell of ours is taken for a formula, and numbers stay numbers.</summary>
internal static class CsvAnswer
{
    // A text that a spreadsheet would take for a formula gets an apostrophe in front, which it takes for "this is a text"; numbers stay as they are.
    private static readonly CsvWriterOptions Options = new() { Injection = CsvInjection.Escape };

    /// <summary>Whether the caller wants it.</summary>
    public static bool IsWanted(HttpContext context)
    {
        foreach (var accepted in context.Request.GetTypedHeaders().Accept ?? [])
        {
            if (accepted.MediaType.Equals("text/csv", StringComparison.OrdinalIgnoreCase) && accepted.Quality is not 0)
                return true;
        }

        return false;
    }

    /// <summary>Sends a table.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The file's name without its ending; ours, not the caller's.</param>
    /// <param name="heads">The columns.</param>
    /// <param name="rows">The cells: texts, numbers, days; null for none.</param>
    public static async Task SendAsync(HttpContext context, string name, IReadOnlyList<string> heads, IEnumerable<object?[]> rows)
    {
        using var table = new MemoryStream();
        await using (var csv = CsvWriter.Create(table, Options, leaveOpen: true))
        {
            foreach (var head in heads)
                csv.WriteField(head);
            csv.EndRecord();
            foreach (var row in rows)
            {
                foreach (var cell in row)
                    Write(csv, cell);
                csv.EndRecord();
            }
        }

        var response = context.Response;
        response.StatusCode = 200;
        response.ContentType = "text/csv; charset=utf-8";
        response.ContentLength = table.Length;
        response.Headers.ContentDisposition = $"attachment; filename=\"{name}.csv\"";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.Vary = "Accept";
        table.Position = 0;
        await table.CopyToAsync(response.Body, context.RequestAborted);
    }

    private static void Write(CsvWriter csv, object? cell)
    {
        switch (cell)
        {
            case null:
                csv.WriteField("");
                break;
            case string text:
                csv.WriteField(text);
                break;
            case decimal number:
                csv.WriteField(number);
                break;
            case DateOnly day:
                csv.WriteField(WireDate.Format(day));
                break;
            default:
                throw new ArgumentException($"{cell.GetType().Name} has no form in a table.", nameof(cell));
        }
    }
}
