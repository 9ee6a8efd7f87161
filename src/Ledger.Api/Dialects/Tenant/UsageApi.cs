using System.Text.Json.Serialization;
using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dialects.Tenant;

/// <summary>The tenant dialect's usage: requests and tokens by day.</summary>
public sealed class UsageApi
{
    private readonly Entrance _entrance;
    private readonly ActivityQueries _activity;

    private UsageApi(IServiceProvider services)
    {
        _entrance = services.GetRequiredService<Entrance>();
        _activity = services.GetRequiredService<ActivityQueries>();
    }

    /// <summary>Maps the route.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new UsageApi(app.Services);
        app.MapGroup("/tenant")
            .WithTags("Tenant")
            .MapGet("/usage", api.ShowAsync)
            .Describe<TenantUsage>("Requests and tokens by UTC day, of the days on which there were any.", 200, 400);
    }

    private async Task ShowAsync(HttpContext context, string? from, string? to)
    {
        var entry = await _entrance.EnterAsync(context, null);
        if (!entry.IsOpen)
        {
            if (entry.RetryAfter is { } after)
                await ApiErrors.SendAsync(context, after);
            else
                await ApiErrors.SendAsync(context, entry.Refusal is { } code ? KeyErrors.Of(code) : KeyErrors.Of(entry.Denial));
            return;
        }

        var faults = new JsonFaults();
        var days = WireDays.Read(from, to, entry.Now, faults);
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        // A day is a line, so there are never more than the longest range has days.
        var ask = new ActivityAsk(entry.Account.Id, days.From, days.To, ActivityGroups.Day, null);
        var lines = await _activity.ListAsync(ask, null, WireDays.Most, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new([
                .. lines.Select(line => new TenantUsageDay(
                    WireDate.Format(WireDate.DayOf(line.At!.Value)),
                    line.Sums.Requests,
                    line.Sums.InputTokens + line.Sums.CacheReadTokens + line.Sums.CacheWriteTokens,
                    line.Sums.OutputTokens,
                    line.Sums.CacheReadTokens,
                    (decimal)line.Sums.Usd / 1000
                )),
            ]),
            UsageJson.Default.TenantUsage
        );
    }
}

/// <summary>Usage by day.</summary>
/// <param name="Data">The days on which there was any, oldest first.</param>
public sealed record TenantUsage(IReadOnlyList<TenantUsageDay> Data);

/// <summary>One day's usage.</summary>
/// <param name="Date">The UTC day.</param>
/// <param name="Requests">How many charges.</param>
/// <param name="InputTokens">Everything that went in, cached or not.</param>
/// <param name="OutputTokens">Output.</param>
/// <param name="CachedTokens">What of the input was read from a cache.</param>
/// <param name="UsdMicros">Millionths of a dollar, less what was given back.</param>
public sealed record TenantUsageDay(string Date, long Requests, long InputTokens, long OutputTokens, long CachedTokens, decimal UsdMicros);

/// <summary>Writes it: snake_case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TenantUsage))]
internal sealed partial class UsageJson : JsonSerializerContext;
