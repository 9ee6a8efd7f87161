using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.Api.Http;
using Ledger.Projections.Audit;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>The audit of the whole ledger: begun, watched while it runs, and its signed report.</summary>
internal sealed class AuditPages(AuditDesk desk, IHostApplicationLifetime life)
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<AuditPages>(services);
        operators.Page("/operator/audit", _ => Task.FromResult(pages.Show()));
        operators.Form("/operator/audit", pages.StartAsync);
        operators.Read("/operator/audit/progress", pages.TellAsync);
        operators.Read("/operator/audit/report.json", pages.SendReportAsync);
    }

    private PageAnswer Show()
    {
        var state = desk.State;
        var isRunning = state is { IsRunning: true };
        return PageAnswer.Show<AuditPage, AuditModel>(
            "Audit",
            new(
                state?.StartedAt,
                isRunning ? StepOf(state!.Progress) : null,
                state?.Failure,
                state?.Report is { } report ? Read(report) : null
            ),
            scripts: isRunning ? ["audit.js"] : []
        );
    }

    private async Task<PageAnswer> StartAsync(OperatorVisit visit, FormPost form)
    {
        // One at a time: whoever asks while one runs is shown that one.
        await desk.StartAsync(TimeSpan.Zero, visit.Gone);
        return PageAnswer.SeeOther("/operator/audit");
    }

    /// <summary>How far it has come, again and again, until it has ended.</summary>
    private async Task TellAsync(OperatorVisit visit)
    {
        var response = visit.Context.Response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        using var end = CancellationTokenSource.CreateLinkedTokenSource(visit.Gone, life.ApplicationStopping);
        try
        {
            AuditStep? told = null;
            while (desk.State is { IsRunning: true } state)
            {
                if (StepOf(state.Progress) is var step && step != told)
                    await SendAsync("progress", step);
                told = step;
                await Task.Delay(Beat, end.Token);
            }

            await SendAsync("done", null);
        }
        catch (OperationCanceledException)
        {
            // The browser has gone, or the server stops; the audit goes its own way.
        }

        async Task SendAsync(string name, AuditStep? step)
        {
            var data = step is null ? "{}" : JsonSerializer.Serialize(new { words = step.Words, percent = step.Percent });
            await response.WriteAsync($"event: {name}\ndata: {data}\n\n", end.Token);
            await response.Body.FlushAsync(end.Token);
        }
    }

    private async Task SendReportAsync(OperatorVisit visit)
    {
        var response = visit.Context.Response;
        response.Headers.CacheControl = "no-store";
        if (desk.State?.Report is not { } report)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        response.ContentType = "application/json";
        response.Headers.ContentDisposition = "attachment; filename=\"audit-report.json\"";
        response.ContentLength = report.Length;
        await response.Body.WriteAsync(report, visit.Gone);
    }

    private static AuditStep StepOf(in AuditProgress progress) =>
        new(progress.Check ?? "", progress.Done, progress.Total, progress.Unit ?? "");

    // What is shown is what is signed, not something beside it.
    private static AuditSummary Read(byte[] report)
    {
        using var json = JsonDocument.Parse(report);
        var root = json.RootElement;
        return new(
            root.GetProperty("whole").GetBoolean(),
            root.TryGetProperty("signature", out _),
            TimeOf(root, "started_at"),
            TimeOf(root, "ended_at"),
            root.GetProperty("head").GetInt64(),
            TextOf(root.GetProperty("vouched"), "text"),
            [
                .. root.GetProperty("checks")
                    .EnumerateArray()
                    .Select(check => new AuditCheckLine(
                        TextOf(check, "name"),
                        TextOf(check, "means"),
                        string.Join(
                            ", ",
                            check
                                .GetProperty("counted")
                                .EnumerateObject()
                                .Select(one => $"{Dashboard.Show.Number(one.Value.GetInt64())} {one.Name}")
                        ),
                        check.GetProperty("findings").GetInt64()
                    )),
            ],
            [
                .. root.GetProperty("findings")
                    .EnumerateArray()
                    .Select(finding => new AuditFindingLine(
                        TextOf(finding, "check"),
                        TextOf(finding, "code"),
                        TextOf(finding, "place"),
                        TextOf(finding, "message")
                    )),
            ],
            root.GetProperty("findings_total").GetInt64()
        );
    }

    private static string TextOf(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static DateTimeOffset TimeOf(JsonElement json, string name) =>
        WireTime.TryParse(TextOf(json, name), out var at) ? at : throw new InvalidDataException($"The report's {name} is no time.");
}
