using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;

namespace Ledger.Api.Audit;

/// <summary>An audit's report as signed JSON, as a page, and as lines for a terminal.</summary>
internal static class AuditText
{
    // What is signed begins with this, so that no report can pass for anything else that the same key signs.
    private static readonly byte[] Domain = Encoding.ASCII.GetBytes("ledger-report\n");

    /// <summary>The report as JSON, signed.</summary>
    /// <param name="report">The report.</param>
    /// <param name="signer">What signs it; null where nothing can, and then it is not signed.</param>
    public static byte[] ToJson(AuditReport report, CheckpointSigner? signer)
    {
        var plain = Write(report, null, default);
        if (signer is null)
            return plain;
        using var json = JsonDocument.Parse(plain);
        return Write(report, signer.Key, signer.Sign([.. Domain, .. CanonicalJson.Of(json.RootElement)]));
    }

    /// <summary>Whether a report is what its key has signed.</summary>
    /// <exception cref="FormatException">It is no signed report.</exception>
    public static (bool IsGenuine, CheckpointKey Key) Verify(JsonElement report)
    {
        if (
            report.ValueKind != JsonValueKind.Object
            || !report.TryGetProperty("signature", out var signature)
            || signature.ValueKind != JsonValueKind.Object
            || !signature.TryGetProperty("key", out var jwk)
            || !signature.TryGetProperty("value", out var value)
            || !value.TryGetBytesFromBase64(out var bytes)
        )
            throw new FormatException("it is not a signed report");
        var key = CheckpointText.ReadKey(jwk);
        return (key.Verifies([.. Domain, .. CanonicalJson.Of(report, without: "signature")], bytes), key);
    }

    /// <summary>A summary for a terminal.</summary>
    public static IEnumerable<string> ToLines(AuditReport report)
    {
        foreach (var check in report.Checks)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{check.Name, -12} {(check.Findings == 0 ? "whole" : check.Findings == 1 ? "1 finding" : check.Findings + " findings"), -14} {string.Join(", ", check.Counted.Select(counted => $"{counted.Value} {counted.Key}"))}"
            );
        }

        foreach (var finding in report.Findings)
            yield return $"  {finding.Check} {finding.Code}, {finding.Place}: {finding.Message}";
        if (report.FindingsTotal > report.Findings.Count)
            yield return string.Create(CultureInfo.InvariantCulture, $"  … and {report.FindingsTotal - report.Findings.Count} more");
        yield return Vouched(report);
    }

    /// <summary>Up to where the audit vouches, in a sentence or two.</summary>
    public static string Vouched(AuditReport report)
    {
        var text = new StringBuilder();
        text.Append(
            report.Outside.Checkpoint > 0
                ? $"Up to position {report.Outside.Position} the log was held against checkpoints kept outside of the database (the last is {report.Outside.Checkpoint}, of {WireTime.Format(report.Outside.At!.Value)}): nobody can have rewritten it there unseen."
                : "No checkpoint kept outside of the database was given or found: whoever can rewrite the whole database and sign could have done so unseen."
        );
        if (report.Inside.Position > report.Outside.Position)
            text.Append(
                CultureInfo.InvariantCulture,
                $" Up to position {report.Inside.Position} it was held against the database's own signed checkpoints (the last is {report.Inside.Checkpoint}, of {WireTime.Format(report.Inside.At!.Value)})."
            );
        if (report.Head > Math.Max(report.Inside.Position, report.Outside.Position))
            text.Append(
                CultureInfo.InvariantCulture,
                $" What is behind, up to position {report.Head}, no checkpoint covers yet: there only the streams' own hash chains speak."
            );
        return text.ToString();
    }

    /// <summary>A page for people.</summary>
    public static string ToHtml(AuditReport report, string title)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Encode(title)}</h1>\n");
        page.Append(
            CultureInfo.InvariantCulture,
            $"<p class=\"amount\">{(report.IsWhole ? "All is whole" : report.FindingsTotal == 1 ? "1 finding" : report.FindingsTotal + " findings")}</p>\n<p class=\"note\">{Encode(Vouched(report))}</p>\n"
        );
        page.Append(
            CultureInfo.InvariantCulture,
            $"<dl><dt>Begun</dt><dd>{WireTime.Format(report.StartedAt)}</dd><dt>Ended</dt><dd>{WireTime.Format(report.EndedAt)}</dd><dt>The log then ended at</dt><dd>position {report.Head}</dd></dl>\n"
        );
        page.Append(
            "<table><thead><tr><th>Check</th><th>What it establishes</th><th>Looked at</th><th class=\"number\">Findings</th></tr></thead><tbody>\n"
        );
        foreach (var check in report.Checks)
        {
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{Encode(check.Name)}</td><td>{Encode(check.Means)}</td><td>{Encode(string.Join(", ", check.Counted.Select(counted => $"{counted.Value} {counted.Key}")))}</td><td class=\"number\">{check.Findings}</td></tr>\n"
            );
        }

        page.Append("</tbody></table>\n");
        if (report.Findings.Count > 0)
        {
            page.Append(
                "<h2>Findings</h2>\n<table><thead><tr><th>Check</th><th>Code</th><th>Place</th><th>What</th></tr></thead><tbody>\n"
            );
            foreach (var finding in report.Findings)
            {
                page.Append(
                    CultureInfo.InvariantCulture,
                    $"<tr><td>{Encode(finding.Check)}</td><td>{Encode(finding.Code)}</td><td>{Encode(finding.Place)}</td><td>{Encode(finding.Message)}</td></tr>\n"
                );
            }

            page.Append("</tbody></table>\n");
            if (report.FindingsTotal > report.Findings.Count)
                page.Append(CultureInfo.InvariantCulture, $"<p>Of {report.FindingsTotal} only these are listed.</p>\n");
        }

        return HtmlPage.Document(title, page.ToString());
    }

    private static byte[] Write(AuditReport report, CheckpointKey? key, ReadOnlySpan<byte> signature)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (
            var json = new Utf8JsonWriter(
                buffer,
                new()
                {
                    Indented = true,
                    NewLine = "\n",
                    Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                }
            )
        )
        {
            json.WriteStartObject();
            json.WriteNumber("format", 1);
            json.WriteBoolean("whole", report.IsWhole);
            json.WriteString("started_at", WireTime.Format(report.StartedAt));
            json.WriteString("ended_at", WireTime.Format(report.EndedAt));
            json.WriteNumber("head", report.Head);
            json.WriteStartObject("vouched");
            json.WriteString("text", Vouched(report));
            Coverage(json, "outside", report.Outside);
            Coverage(json, "inside", report.Inside);
            json.WriteEndObject();
            json.WriteStartArray("checks");
            foreach (var check in report.Checks)
            {
                json.WriteStartObject();
                json.WriteString("name", check.Name);
                json.WriteString("means", check.Means);
                json.WriteStartObject("counted");
                foreach (var (what, count) in check.Counted)
                    json.WriteNumber(what, count);
                json.WriteEndObject();
                json.WriteNumber("findings", check.Findings);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber("findings_total", report.FindingsTotal);
            json.WriteStartArray("findings");
            foreach (var finding in report.Findings)
            {
                json.WriteStartObject();
                json.WriteString("check", finding.Check);
                json.WriteString("code", finding.Code);
                json.WriteString("place", finding.Place);
                json.WriteString("message", finding.Message);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (key is not null)
            {
                json.WriteStartObject("signature");
                json.WritePropertyName("key");
                CheckpointText.Write(json, key);
                json.WriteBase64String("value", signature);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Coverage(Utf8JsonWriter json, string name, AuditCoverage coverage)
    {
        if (coverage.At is not { } at)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartObject(name);
        json.WriteNumber("checkpoint", coverage.Checkpoint);
        json.WriteNumber("position", coverage.Position);
        json.WriteString("at", WireTime.Format(at));
        json.WriteEndObject();
    }

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);
}
