using CsvHelper;

namespace Ledger.Api.Http;

/// <summary>
/// A table as CSV (RFC 4180), sent row by row. A text that a spreadsheet would take for a formula is escaped, so that a name which somebody chose cannot
/// run there; numbers stay numbers.
/// </summary>
internal sealed class CsvAnswer : IAsyncDisposable
{
    private static readonly CsvWriterOptions Options = new() { Injection = CsvInjection.Escape };

    private readonly CsvWriter _csv;

    private CsvAnswer(CsvWriter csv) => _csv = csv;

    /// <summary>Whether that is what the caller wants.</summary>
    public static bool IsWanted(HttpContext context)
    {
        foreach (var accepted in context.Request.GetTypedHeaders().Accept ?? [])
        {
            if (accepted.MediaType.Equals("text/csv", StringComparison.OrdinalIgnoreCase) && accepted.Quality is not 0)
                return true;
        }

        return false;
    }

    /// <summary>Begins one.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The file's name without its ending; ours, not the caller's.</param>
    /// <param name="heads">The columns.</param>
    public static async Task<CsvAnswer> BeginAsync(HttpContext context, string name, params IReadOnlyList<string> heads)
    {
        var response = context.Response;
        response.StatusCode = 200;
        response.ContentType = "text/csv; charset=utf-8";
        response.Headers.ContentDisposition = $"attachment; filename=\"{name}.csv\"";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.Vary = "Accept";
        var csv = CsvWriter.Create(response.Body, Options, leaveOpen: true);
        await csv.WriteRecordAsync([.. heads], context.RequestAborted);
        return new(csv);
    }

    /// <summary>Sends a whole table.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The file's name without its ending; ours, not the caller's.</param>
    /// <param name="heads">The columns.</param>
    /// <param name="rows">The cells: texts, numbers, days; null for none.</param>
    public static async Task SendAsync(HttpContext context, string name, IReadOnlyList<string> heads, IEnumerable<object?[]> rows)
    {
        await using var table = await BeginAsync(context, name, heads);
        foreach (var row in rows)
            await table.WriteAsync(row);
    }

    /// <summary>Writes a row: texts, numbers, days; null for an empty cell.</summary>
    public async Task WriteAsync(params object?[] cells)
    {
        foreach (var cell in cells)
        {
            switch (cell)
            {
                case null:
                    _csv.WriteField("");
                    break;
                case string text:
                    _csv.WriteField(text);
                    break;
                case long whole:
                    _csv.WriteField(whole);
                    break;
                case decimal number:
                    _csv.WriteField(number);
                    break;
                case DateOnly day:
                    _csv.WriteField(WireDate.Format(day));
                    break;
                default:
                    throw new ArgumentException($"{cell.GetType().Name} has no form in a table.", nameof(cells));
            }
        }

        await _csv.EndRecordAsync(default);
    }

    /// <summary>Sends what is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _csv.FlushAsync(default);
        await _csv.DisposeAsync();
    }
}
