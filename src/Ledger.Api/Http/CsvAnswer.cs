using CsvHelper;

namespace Ledger.Api.Http;

/// <summary>
/// An answer as a table of comma-separated values, sent row by row. A cell that a spreadsheet would take for a formula is escaped, so that a name which
/// somebody chose cannot run there.
/// </summary>
internal sealed class CsvAnswer : IAsyncDisposable
{
    private readonly CsvWriter _csv;

    private CsvAnswer(CsvWriter csv) => _csv = csv;

    /// <summary>Whether that is what the caller wants.</summary>
    public static bool IsWanted(HttpContext context) =>
        context.Request.GetTypedHeaders().Accept.Any(accept => accept.MediaType.Equals("text/csv", StringComparison.OrdinalIgnoreCase));

    /// <summary>Begins one.</summary>
    /// <param name="context">The request.</param>
    /// <param name="file">What browsers call the file.</param>
    /// <param name="columns">The names of the columns.</param>
    public static async Task<CsvAnswer> BeginAsync(HttpContext context, string file, params string[] columns)
    {
        context.Response.ContentType = "text/csv; charset=utf-8";
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{file}\"";
        var csv = CsvWriter.Create(context.Response.Body, new CsvWriterOptions { Injection = CsvInjection.Escape }, leaveOpen: true);
        await csv.WriteRecordAsync(columns, context.RequestAborted);
        return new(csv);
    }

    /// <summary>Writes a row; null is an empty cell.</summary>
    public async Task WriteAsync(params object?[] cells)
    {
        foreach (var cell in cells)
            _csv.WriteField(cell);
        await _csv.EndRecordAsync(default);
    }

    /// <summary>Sends what is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _csv.FlushAsync(default);
        await _csv.DisposeAsync();
    }
}
