using System.Globalization;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.EventStore.Checkpoints;

namespace Ledger.Api.Audit;

/// <summary>Signed checkpoints and the keys that sign them, for everybody: whoever keeps them can later say what the log was.</summary>
public sealed class CheckpointApi
{
    private readonly LogCheckpoints _checkpoints;
    private readonly CheckpointKeyRing _keys;

    private CheckpointApi(IServiceProvider services)
    {
        _checkpoints = services.GetRequiredService<LogCheckpoints>();
        _keys = services.GetRequiredService<CheckpointKeyRing>();
    }

    /// <summary>For everything under the routes that no handler answered.</summary>
    internal static FaultShape Shape { get; } = ApiErrors.ShapeOf("/v1/checkpoints");

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new CheckpointApi(app.Services);
        var checkpoints = app.MapGroup("/v1/checkpoints").WithTags("Checkpoints");
        checkpoints
            .MapGet("", api.ListAsync)
            .WithSummary("Signed checkpoints of the log in order, from the one after a number on.")
            .Produces<CheckpointPage>(200, "application/json")
            .Produces<ApiErrorResponse>(400, "application/json");
        checkpoints
            .MapGet("/keys", (Delegate)api.ListKeysAsync)
            .WithSummary("The keys that sign checkpoints, as a JSON Web Key Set; the newest, which signs now, first.")
            .Produces<CheckpointKeySet>(200, "application/json");
        checkpoints
            .MapGet("/{number}", api.ShowAsync)
            .WithSummary("One checkpoint.")
            .Produces<CheckpointView>(200, "application/json")
            .Produces<ApiErrorResponse>(404, "application/json");
    }

    private async Task ListAsync(HttpContext context, string? after, string? limit)
    {
        var (faults, from) = (new JsonFaults(), 0L);
        if (after is not null && !long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out from))
            faults.Add("after", "must be a checkpoint's number");
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        var found = await _checkpoints.ListAsync(from, size + 1, context.RequestAborted);
        await JsonAnswer.SendAsync(
            context,
            200,
            (found, size),
            static (json, page) =>
            {
                json.WriteStartObject();
                json.WriteStartArray("data");
                foreach (var signed in page.found.Take(page.size))
                    CheckpointText.Write(json, signed, withSegments: false);
                json.WriteEndArray();
                if (page.found.Count > page.size)
                    json.WriteString("next", page.found[page.size - 1].Checkpoint.Number.ToString(CultureInfo.InvariantCulture));
                else
                    json.WriteNull("next");
                json.WriteEndObject();
            }
        );
    }

    private async Task ShowAsync(HttpContext context, string number)
    {
        if (
            !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var wanted)
            || await _checkpoints.FindAsync(wanted, context.RequestAborted) is not { } signed
        )
        {
            await ApiErrors.SendAsync(context, new ApiError(404, "checkpoint_not_found", "There is no such checkpoint."));
            return;
        }

        // It never changes.
        context.Response.Headers.CacheControl = "public, max-age=86400, immutable";
        await JsonAnswer.SendAsync(context, 200, signed, static (json, signed) => CheckpointText.Write(json, signed, withSegments: false));
    }

    private async Task ListKeysAsync(HttpContext context) =>
        await JsonAnswer.SendAsync(
            context,
            200,
            await _keys.ListAsync(context.RequestAborted),
            static (json, keys) =>
            {
                json.WriteStartObject();
                json.WriteStartArray("keys");
                foreach (var key in keys)
                    CheckpointText.Write(json, key);
                json.WriteEndArray();
                json.WriteEndObject();
            }
        );
}

/// <summary>A page of checkpoints.</summary>
/// <param name="Data">In order.</param>
/// <param name="Next">The <c>after</c> of the next page; null on the last.</param>
public sealed record CheckpointPage(IReadOnlyList<CheckpointView> Data, string? Next);

/// <summary>A signed checkpoint; its canonical form is in <c>docs/reference/audit.md</c>.</summary>
/// <param name="Format">1.</param>
/// <param name="Number">Its number, from 1 without gaps.</param>
/// <param name="After">The position before the first that it covers.</param>
/// <param name="Position">The last position that it covers.</param>
/// <param name="Count">How many events it covers.</param>
/// <param name="Gaps">First and last of the positions between at which nothing stands.</param>
/// <param name="Root">The root of the Merkle tree over the events' hashes; base64.</param>
/// <param name="Previous">The hash of the checkpoint before it; base64.</param>
/// <param name="At">When it was made.</param>
/// <param name="KeyId">What signed it.</param>
/// <param name="Hash">SHA-256 of its canonical form; base64.</param>
/// <param name="Signature">ECDSA over its canonical form; base64.</param>
public sealed record CheckpointView(
    int Format,
    long Number,
    long After,
    long Position,
    long Count,
    IReadOnlyList<IReadOnlyList<long>> Gaps,
    string Root,
    string Previous,
    DateTimeOffset At,
    string KeyId,
    string Hash,
    string Signature
);

/// <summary>A JSON Web Key Set (RFC 7517).</summary>
/// <param name="Keys">The keys.</param>
public sealed record CheckpointKeySet(IReadOnlyList<JsonElement> Keys);
