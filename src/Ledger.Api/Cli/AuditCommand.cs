using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;

namespace Ledger.Api.Cli;

/// <summary><c>audit verify|receipt|report</c>.</summary>
internal static class AuditCommand
{
    public static Command Make(CliHost host) =>
        new("audit", "Proves that the ledger is what it was, and checks what others are given as proof.")
        {
            Verify(host),
            ReceiptOf(host),
            ReportOf(host),
        };

    private static Command Verify(CliHost host)
    {
        var checkpoints = new Option<string?>("--checkpoints")
        {
            Description = "Checkpoints kept outside of the database (checkpoints.jsonl); the server's own file where it is left out.",
        };
        var json = new Option<string?>("--json") { Description = "Where the signed report goes." };
        var html = new Option<string?>("--html") { Description = "Where the report goes as a page." };
        var command = new Command(
            "verify",
            "Reads the whole log: hash chains, versions, references, conservation, checkpoints; compares every read model with it. The server runs on meanwhile. Ends with 1 where anything is not as it should be."
        )
        {
            checkpoints,
            json,
            html,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var file = parsed.GetValue(checkpoints) is { } named
                            ? Existing(named)
                            : services.GetRequiredService<CheckpointFile>();
                        var progress = new CliProgress(host.Console);
                        AuditReport report;
                        try
                        {
                            report = await services.GetRequiredService<Auditor>().RunAsync(file.Exists ? file : null, progress, ct);
                        }
                        finally
                        {
                            progress.End();
                        }

                        if (parsed.GetValue(json) is { } jsonFile)
                            await WriteAsync(
                                jsonFile,
                                await AuditDesk.SignAsync(report, services.GetRequiredService<CheckpointKeyRing>(), ct),
                                ct
                            );
                        if (parsed.GetValue(html) is { } htmlFile)
                            await WriteAsync(htmlFile, Encoding.UTF8.GetBytes(AuditText.ToHtml(report, "Audit of the ledger")), ct);
                        foreach (var line in AuditText.ToLines(report))
                            await host.Console.Output.WriteLineAsync(line);
                        if (!report.IsWhole)
                            throw new CliException(
                                string.Create(CultureInfo.InvariantCulture, $"Not all is whole: {report.FindingsTotal} findings.")
                            );
                    },
                    ct
                )
        );
        return command;
    }

    private static Command ReceiptOf(CliHost host)
    {
        var file = new Argument<string>("file") { Description = "The receipt, as GET /v1/account/receipts/{spend_id} answered it." };
        var key = new Option<string?>("--key")
        {
            Description = "A key that you trust, as JSON Web Key or Key Set (GET /v1/checkpoints/keys).",
        };
        var checkpoints = new Option<string?>("--checkpoints") { Description = "Checkpoints that you have kept (checkpoints.jsonl)." };
        var command = new Command("receipt", "Checks a receipt without a database or a server, and says what it proves.")
        {
            file,
            key,
            checkpoints,
        };
        command.SetAction(
            async (parsed, ct) =>
            {
                var anchors = new ReceiptAnchors(
                    parsed.GetValue(key) is { } keyFile ? await ReadKeysAsync(keyFile, ct) : [],
                    parsed.GetValue(checkpoints) is { } kept ? Existing(kept) : null
                );
                var verdict = ReceiptCheck.Check(await ReadAsync(parsed.GetRequiredValue(file), ct), anchors);
                if (!verdict.IsGood)
                    throw new CliException(string.Join('\n', verdict.Lines));
                foreach (var line in verdict.Lines)
                    await host.Console.Output.WriteLineAsync(line);
                return 0;
            }
        );
        return command;
    }

    private static Command ReportOf(CliHost host)
    {
        var file = new Argument<string>("file") { Description = "A report, as audit verify --json wrote it." };
        var key = new Option<string?>("--key") { Description = "A key that you trust, as JSON Web Key or Key Set." };
        var command = new Command("report", "Checks the signature of an audit's report, without a database or a server.") { file, key };
        command.SetAction(
            async (parsed, ct) =>
            {
                var trusted = parsed.GetValue(key) is { } keyFile ? await ReadKeysAsync(keyFile, ct) : null;
                try
                {
                    using var json = JsonDocument.Parse(
                        await ReadAsync(parsed.GetRequiredValue(file), ct),
                        new() { AllowDuplicateProperties = false }
                    );
                    var (isGenuine, signer) = AuditText.Verify(json.RootElement);
                    if (!isGenuine)
                        throw new CliException("The report is not what was signed.");
                    if (trusted is not null && !trusted.Any(known => known.Id == signer.Id))
                        throw new CliException($"The report is signed by the key {signer.Id}, which is not the one that was given.");
                    await host.Console.Output.WriteLineAsync(
                        $"The report is what the key {signer.Id} signed" + (trusted is null ? ", which comes from the report itself." : ".")
                    );
                    return 0;
                }
                catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
                {
                    throw new CliException("The file is not a signed report.");
                }
            }
        );
        return command;
    }

    private static CheckpointFile Existing(string path)
    {
        var file = new CheckpointFile(Path.GetFullPath(path));
        return file.Exists ? file : throw new CliException($"There is no file {file.Path}.");
    }

    private static async Task<IReadOnlyList<CheckpointKey>> ReadKeysAsync(string path, CancellationToken ct)
    {
        try
        {
            using var json = JsonDocument.Parse(await ReadAsync(path, ct));
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("keys", out var set)
                ? [.. set.EnumerateArray().Select(CheckpointText.ReadKey)]
                : [CheckpointText.ReadKey(json.RootElement)];
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw new CliException($"{path} holds no JSON Web Key on P-256.");
        }
    }

    private static async Task<byte[]> ReadAsync(string path, CancellationToken ct)
    {
        try
        {
            return await File.ReadAllBytesAsync(Path.GetFullPath(path), ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {e.Message}");
        }
    }

    private static async Task WriteAsync(string path, byte[] contents, CancellationToken ct)
    {
        try
        {
            await File.WriteAllBytesAsync(Path.GetFullPath(path), contents, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be written: {e.Message}");
        }
    }
}
