using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using Ledger.Api.Http;

namespace Ledger.Api.Finance;

/// <summary>A statement as a page that can be printed, and as a table.</summary>
internal static class StatementPage
{
    private static readonly string[] Heads = ["section", "unit", "source", "kind", "item", "amount", "usd_value"];

    public static Task SendPageAsync(HttpContext context, StatementView statement, string theme = "system", string? back = null)
    {
        var page = new StringBuilder();
        if (back is not null)
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"back\"><a href=\"{Text(back)}\">To the statements</a></p>");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Statement {Text(statement.Period)}</h1>");
        page.Append(
            CultureInfo.InvariantCulture,
            $"<p class=\"note\">Account {Text(statement.AccountId)}, {WireDate.Format(statement.From)} to {WireDate.Format(statement.To)} (UTC), as of {WireTime.Format(statement.At)}. "
        );
        page.Append(statement.Final ? "Final.</p>" : "Not final yet.</p>");
        Table(page, "Opening", ["Source", "Unit"], statement.Opening.Select(line => (new[] { line.Source, line.Unit }, line.Amount)));
        Table(
            page,
            "What happened",
            ["Source", "What", "For", "Unit"],
            statement.Lines.Select(line => (new[] { line.Source, line.Kind, line.Item ?? "", line.Unit }, line.Amount))
        );
        Table(
            page,
            "Payments",
            ["Provider", "What", "For"],
            statement.Payments.Select(line => (new[] { line.Provider, line.Kind, line.Item ?? "" }, line.AmountUsd))
        );
        Table(page, "Closing", ["Source", "Unit"], statement.Closing.Select(line => (new[] { line.Source, line.Unit }, line.Amount)));
        return HtmlPage.SendAsync(context, 200, "Statement " + statement.Period, page.ToString(), theme);
    }

    public static Task SendTableAsync(HttpContext context, StatementView statement) =>
        CsvAnswer.SendAsync(
            context,
            "statement-" + statement.Period,
            Heads,
            [
                .. statement.Opening.Select(line => Position("opening", line)),
                .. statement.Lines.Select(line =>
                    new object?[] { "line", line.Unit, line.Source, line.Kind, line.Item, line.Amount, line.UsdValue }
                ),
                .. statement.Payments.Select(line =>
                    new object?[] { "payment", "usd", line.Provider, line.Kind, line.Item, line.AmountUsd, line.AmountUsd }
                ),
                .. statement.Closing.Select(line => Position("closing", line)),
            ]
        );

    private static object?[] Position(string section, PositionView line) =>
        [section, line.Unit, line.Source, null, null, line.Amount, line.UsdValue];

    private static void Table(StringBuilder page, string title, string[] heads, IEnumerable<(string[] Cells, decimal Amount)> rows)
    {
        page.Append(CultureInfo.InvariantCulture, $"<h2>{Text(title)}</h2><table><thead><tr>");
        foreach (var head in heads)
            page.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{Text(head)}</th>");
        page.Append("<th scope=\"col\" class=\"number\">Amount</th></tr></thead><tbody>");
        var any = false;
        foreach (var (cells, amount) in rows)
        {
            any = true;
            page.Append("<tr>");
            foreach (var cell in cells)
                page.Append(CultureInfo.InvariantCulture, $"<td>{Text(cell)}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td class=\"number\">{amount:#,0.#########}</td></tr>");
        }

        if (!any)
            page.Append(CultureInfo.InvariantCulture, $"<tr><td colspan=\"{heads.Length + 1}\">None.</td></tr>");
        page.Append("</tbody></table>");
    }

    private static string Text(string text) => HtmlEncoder.Default.Encode(text);
}
