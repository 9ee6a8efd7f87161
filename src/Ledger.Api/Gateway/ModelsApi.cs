using System.Globalization;
using System.Text.Json.Serialization;
using Ledger.Api.Access;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Http;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Gateway;

/// <summary>The models and their prices, in one list for all readers: OpenAI's, Anthropic's and the packs document's members side by side.</summary>
public sealed class ModelsApi
{
    private readonly Entrance _entrance;
    private readonly Protocol _protocol;

    private ModelsApi(IServiceProvider services, Protocol protocol) =>
        (_entrance, _protocol) = (services.GetRequiredService<Entrance>(), protocol);

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        Map(app, "", Protocol.OpenAi);

        // Where a tool is told the address of its route, it looks for the models there.
        foreach (var route in CallRoute.ToolTuned)
            Map(app, "/" + route.Name, route.Protocol);
    }

    private static void Map(WebApplication app, string prefix, Protocol protocol)
    {
        var api = new ModelsApi(app.Services, protocol);
        var models = app.MapGroup(prefix + "/v1/models").WithTags("Models");
        models
            .MapGet("", api.ListAsync)
            .Describe<ModelList>("The models: auto first, then other logical names, then models by provider and name.", 200, 400);
        models.MapGet("/{**id}", api.ShowAsync).Describe<ModelView>("One model, by any name that leads to it.", 200, 404);
    }

    private async Task ListAsync(HttpContext context, string? limit, string? after_id, string? before_id)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        var all = ListOf(entry).ToList();
        var faults = new JsonFaults();
        var (from, to) = (0, all.Count);
        if (after_id is not null && (from = all.FindIndex(model => model.Id == after_id) + 1) == 0)
            faults.Add("after_id", "must be the id of a model");
        if (before_id is not null && (to = all.FindIndex(model => model.Id == before_id)) < 0)
            faults.Add("before_id", "must be the id of a model");
        var size = 1000;
        if (
            limit is not null
            && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size is >= 1 and <= 1000)
        )
            faults.Add("limit", "must be a whole number from 1 to 1000");
        if (!faults.IsEmpty)
        {
            await CallErrors.SendAsync(context, _protocol, new CallFault(OpenAiErrors.WordsOf(faults), faults.All[0].Path));
            return;
        }

        // Backwards, a page is what stands right before; forwards, what stands right after.
        var range = all[Math.Min(from, to)..to];
        var page = before_id is null ? range.Take(size).ToList() : range.TakeLast(size).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new("list", page, page.Count < range.Count, page.FirstOrDefault()?.Id, page.LastOrDefault()?.Id),
            ModelJson.Default.ModelList
        );
    }

    private async Task ShowAsync(HttpContext context, string id)
    {
        if (await EnterAsync(context) is not { } entry)
            return;

        // What is escaped in a path stays so: a provider's slash may come as %2F.
        var name = Uri.UnescapeDataString(id);
        if (entry.Card.Models.Resolve(name) is { } model && MayUse(entry, name, model))
            await ApiErrors.SendAsync(context, 200, ViewOf(name, model, entry.Card), ModelJson.Default.ModelView);
        else
            await CallErrors.SendAsync(context, _protocol, OpenAiErrors.NoModel);
    }

    private async Task<Entry?> EnterAsync(HttpContext context)
    {
        // Anthropic's clients ask the route without a prefix too.
        context.Response.Headers["request-id"] = context.TraceIdentifier;
        var entry = await _entrance.EnterAsync(context, null, takesApiKey: true);
        if (entry.IsOpen)
            return entry;
        await CallErrors.SendAsync(context, _protocol, entry);
        return null;
    }

    private static IEnumerable<ModelView> ListOf(Entry entry)
    {
        var card = entry.Card;
        foreach (var alias in card.Models.Aliases)
        {
            if (card.Models.Resolve(alias) is { } target && MayUse(entry, alias, target))
                yield return ViewOf(alias, target, card);
        }

        foreach (var model in card.Document.Models.OrderBy(ModelDirectory.NameOf, StringComparer.Ordinal))
        {
            if (MayUse(entry, ModelDirectory.NameOf(model), model))
                yield return ViewOf(ModelDirectory.NameOf(model), model, card);
        }
    }

    private static bool MayUse(in Entry entry, string name, PricedModel model) =>
        entry.Account.Keys.Find(entry.Identity.By.Key) is not { } key || key.Allows(name, model);

    private static ModelView ViewOf(string id, PricedModel model, RateCard card) =>
        new(
            id,
            "model",
            card.EffectiveAt.ToUnixTimeSeconds(),
            model.Provider,
            "model",
            id == ModelDirectory.NameOf(model) ? model.Model : $"{id} ({ModelDirectory.NameOf(model)})",
            card.EffectiveAt,
            model.Provider,
            model.Model,
            WireNumber.Of(model.UsdPer1m.Input),
            WireNumber.Of(model.UsdPer1m.Output)
        );
}

/// <summary>Models.</summary>
/// <param name="Kind">Always <c>list</c>.</param>
/// <param name="Data">The models.</param>
/// <param name="HasMore">Whether there are more in the direction that was asked for.</param>
/// <param name="FirstId">The first one's id.</param>
/// <param name="LastId">The last one's id.</param>
public sealed record ModelList(
    [property: JsonPropertyName("object")] string Kind,
    IReadOnlyList<ModelView> Data,
    bool HasMore,
    string? FirstId,
    string? LastId
);

/// <summary>One model, or a logical name with its target's provider and prices.</summary>
/// <param name="Id">The name by which requests ask for it.</param>
/// <param name="Kind">Always <c>model</c>.</param>
/// <param name="Created">Since when the price list has it so, in seconds since 1970.</param>
/// <param name="OwnedBy">The provider.</param>
/// <param name="Type">Always <c>model</c>.</param>
/// <param name="DisplayName">A name for people.</param>
/// <param name="CreatedAt">Since when the price list has it so.</param>
/// <param name="Provider">The provider.</param>
/// <param name="Model">The model at the provider, as the price list names it.</param>
/// <param name="InputPricePer1mTokens">Dollars per million input tokens.</param>
/// <param name="OutputPricePer1mTokens">Dollars per million output tokens.</param>
public sealed record ModelView(
    string Id,
    [property: JsonPropertyName("object")] string Kind,
    long Created,
    string OwnedBy,
    string Type,
    string DisplayName,
    DateTimeOffset CreatedAt,
    string Provider,
    string Model,
    [property: JsonPropertyName("input_price_per_1m_tokens")] decimal InputPricePer1mTokens,
    [property: JsonPropertyName("output_price_per_1m_tokens")] decimal OutputPricePer1mTokens
);

/// <summary>Writes them: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ModelView))]
internal sealed partial class ModelJson : JsonSerializerContext;
