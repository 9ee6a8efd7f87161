using System.Globalization;
using System.Text.Json;
using Ledger.Api.Dialects.Admin;
using Ledger.Api.Hosting;
using Ledger.Api.Http;

namespace Ledger.Api.Audit;

/// <summary>The operator's audits: what the command line does by <c>audit verify</c>, on a server that runs.</summary>
public sealed class AuditApi
{
    private const int MaxWait = 60;
    private readonly AuditDesk _desk;
    private readonly CheckpointKeyRing _keys;

    private AuditApi(IServiceProvider services)
    {
        _desk = services.GetRequiredService<AuditDesk>();
        _keys = services.GetRequiredService<CheckpointKeyRing>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new AuditApi(app.Services);
        var admin = app.MapGroup("/admin").WithTags("Audit").OnlyFor(app.Services.GetRequiredService<OperatorKey>());
        admin
            .MapPost("/audit/verify", api.StartAsync)
            .Describe<AuditStateView>(
                "Audits the whole ledger, or joins the audit under way; 202 where it takes longer than ?wait= seconds.",
                200,
                400
            )
            .Produces<AuditStateView>(202, "application/json");
        admin
            .MapGet("/audit/verify", (Delegate)api.ShowAsync)
            .Describe<AuditStateView>("The audit under way, or the last of this node.", 200, 404);
        admin
            .MapPost("/checkpoint-keys", (Delegate)api.RotateAsync)
            .Describe<SigningKeyView>("Signs checkpoints and reports with a new key from now on; those before stay signed by theirs.", 201);
    }

    private async Task StartAsync(HttpContext context, string? wait)
    {
        var seconds = 10;
        if (wait is not null && !(int.TryParse(wait, NumberStyles.None, CultureInfo.InvariantCulture, out seconds) && seconds <= MaxWait))
        {
            var faults = new JsonFaults();
            faults.Add("wait", "must be a whole number of seconds from 0 to 60");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        await SendAsync(context, await _desk.StartAsync(TimeSpan.FromSeconds(seconds), context.RequestAborted));
    }

    private async Task ShowAsync(HttpContext context)
    {
        if (_desk.State is { } state)
            await SendAsync(context, state);
        else
            await ApiErrors.SendAsync(context, new ApiError(404, "audit_not_found", "This node has audited nothing since it started."));
    }

    private async Task RotateAsync(HttpContext context) =>
        await ApiErrors.SendAsync(
            context,
            201,
            new((await _keys.RotateAsync(context.RequestAborted)).Id),
            AdminJson.Default.SigningKeyView
        );

    private static Task SendAsync(HttpContext context, AuditState state) =>
        JsonAnswer.SendAsync(
            context,
            state.IsRunning ? 202 : 200,
            state,
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteString(
                    "state",
                    state.IsRunning ? "running"
                        : state.Failure is null ? "done"
                        : "failed"
                );
                json.WriteString("started_at", WireTime.Format(state.StartedAt));
                json.WriteStartObject("progress");
                json.WriteString("check", state.Progress.Check ?? "");
                json.WriteNumber("done", state.Progress.Done);
                json.WriteNumber("total", state.Progress.Total);
                json.WriteString("unit", state.Progress.Unit ?? "");
                json.WriteEndObject();
                json.WriteString("message", state.Failure);
                json.WritePropertyName("report");
                if (state.Report is null)
                    json.WriteNullValue();
                else
                    json.WriteRawValue(state.Report);
                json.WriteEndObject();
            }
        );
}

/// <summary>An audit.</summary>
/// <param name="State"><c>running</c>, <c>done</c> or <c>failed</c>.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Progress">How far it has come.</param>
/// <param name="Message">Why it failed; null where it did not.</param>
/// <param name="Report">The signed report, once it is done; see <c>docs/reference/audit.md</c>.</param>
public sealed record AuditStateView(
    string State,
    DateTimeOffset StartedAt,
    AuditProgressView Progress,
    string? Message,
    JsonElement? Report
);

/// <summary>How far an audit has come.</summary>
/// <param name="Check">The check that runs.</param>
/// <param name="Done">How much it has done.</param>
/// <param name="Total">How much there was to do when it began.</param>
/// <param name="Unit">Of what.</param>
public sealed record AuditProgressView(string Check, long Done, long Total, string Unit);
