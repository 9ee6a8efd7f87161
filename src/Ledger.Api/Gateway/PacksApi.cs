using System.Text.Json.Serialization;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Payments;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Gateway;

/// <summary>Packs: what is sold, what the caller owns, and buying one.</summary>
public sealed class PacksApi
{
    private readonly Entrance _entrance;
    private readonly PaymentDesk _desk;

    private PacksApi(IServiceProvider services)
    {
        _entrance = services.GetRequiredService<Entrance>();
        _desk = services.GetRequiredService<PaymentDesk>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new PacksApi(app.Services);
        var packs = app.MapGroup("/v1/packs").WithTags("Packs");
        packs
            .MapGet("", (Delegate)api.ListAsync)
            .Describe<PackList>("The packs that are sold, and those that the account owns, newest first.", 200);
        packs
            .MapPost("/checkout", (Delegate)api.CheckOutAsync)
            .Describe<PackCheckoutRequest, PackCheckout>("Opens a page on which a pack can be bought.", 200, 404, 409, 502);
    }

    private async Task ListAsync(HttpContext context)
    {
        var entry = await _entrance.EnterAsync(context, null);
        if (!entry.IsOpen)
        {
            await OpenAiErrors.SendAsync(context, entry);
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(
                [.. entry.Card.Document.Packs.Select(PackTranslation.ToView)],
                [.. PackTranslation.Owned(entry.Account, entry.Book, entry.Card, entry.Now)]
            ),
            PackJson.Default.PackList
        );
    }

    private async Task CheckOutAsync(HttpContext context)
    {
        var entry = await _entrance.EnterAsync(context, KeyKind.Inference);
        if (!entry.IsOpen)
        {
            await OpenAiErrors.SendAsync(context, entry);
            return;
        }

        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        string? pack = null;
        if (document is not null)
        {
            var body = new JsonMembers(document.RootElement, "", faults);
            pack = body.Text("pack", 100, required: true);
            body.End();
        }

        if (!faults.IsEmpty)
        {
            await OpenAiErrors.SendAsync(context, faults);
            return;
        }

        Checkout checkout;
        try
        {
            checkout = await _desk.OpenAsync(
                entry.Account.Id,
                entry.Identity.By,
                OrderKind.Pack,
                pack,
                null,
                ServerAddress.Of(context),
                new Caller(entry.Identity.Actor, context.TraceIdentifier),
                context.RequestAborted
            );
        }
        catch (PaymentProviderException)
        {
            await OpenAiErrors.SendAsync(context, OpenAiErrors.ProviderAway);
            return;
        }

        if (checkout is not { Order: { } order, Page: { } page })
        {
            await OpenAiErrors.SendAsync(context, OpenAiErrors.Of(checkout.Refusal!.Value));
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(page.Session, page.Url, pack!, WireNumber.Of(order.Gives!.Value), WireNumber.Of(order.Price)),
            PackJson.Default.PackCheckout
        );
    }
}

/// <summary>Packs.</summary>
/// <param name="Data">What is sold.</param>
/// <param name="Owned">What the account owns, newest first.</param>
public sealed record PackList(IReadOnlyList<PackOffer> Data, IReadOnlyList<OwnedPack> Owned);

/// <summary>A pack that is sold.</summary>
/// <param name="Id">Its name, as checkouts take it.</param>
/// <param name="Provider">The provider it is for.</param>
/// <param name="Model">The model it is for.</param>
/// <param name="Credits">How many credits it opens with.</param>
/// <param name="InputCreditsPer1m">Credits per million input tokens.</param>
/// <param name="OutputCreditsPer1m">Credits per million output tokens.</param>
/// <param name="TokensEst">How many tokens that is about: twice as much output as input.</param>
/// <param name="PriceUsd">What it costs.</param>
/// <param name="ValidDays">How long it lasts.</param>
public sealed record PackOffer(
    string Id,
    string Provider,
    string Model,
    decimal Credits,
    [property: JsonPropertyName("input_credits_per_1m")] decimal InputCreditsPer1m,
    [property: JsonPropertyName("output_credits_per_1m")] decimal OutputCreditsPer1m,
    long TokensEst,
    decimal PriceUsd,
    int ValidDays
);

/// <summary>A pack that an account owns, with the members of the document.</summary>
/// <param name="Id">Its id: <c>pk_</c> and 32 hexadecimal digits.</param>
/// <param name="Pack">The offer that it was bought by; null where it was granted without one.</param>
/// <param name="Provider">The provider it is for.</param>
/// <param name="Model">The model it is for.</param>
/// <param name="Credits">How many credits it opened with.</param>
/// <param name="InternalCreditsRemaining">How many are left, rounded down.</param>
/// <param name="RemainingTokensEst">How many tokens that is about.</param>
/// <param name="Status"><c>ACTIVE</c>, <c>EXHAUSTED</c> or <c>EXPIRED</c>.</param>
/// <param name="PurchasedAt">Since when it is owned.</param>
/// <param name="ExpiresAt">Until when it lasts; null for ever.</param>
public sealed record OwnedPack(
    string Id,
    string? Pack,
    string Provider,
    string Model,
    decimal Credits,
    [property: JsonPropertyName("internalCreditsRemaining")] long InternalCreditsRemaining,
    [property: JsonPropertyName("remainingTokensEst")] long? RemainingTokensEst,
    string Status,
    DateTimeOffset PurchasedAt,
    DateTimeOffset? ExpiresAt
);

/// <summary>Asks for a checkout.</summary>
/// <param name="Pack">The pack.</param>
public sealed record PackCheckoutRequest(string Pack);

/// <summary>A checkout.</summary>
/// <param name="SessionId">The provider's page.</param>
/// <param name="Url">Where it can be paid.</param>
/// <param name="Pack">The pack.</param>
/// <param name="Credits">How many credits its payment gives.</param>
/// <param name="AmountUsd">What it costs.</param>
public sealed record PackCheckout(string SessionId, string Url, string Pack, decimal Credits, decimal AmountUsd);

/// <summary>Writes them: snake_case but for the document's own members, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(PackList))]
[JsonSerializable(typeof(PackCheckout))]
internal sealed partial class PackJson : JsonSerializerContext;

/// <summary>Between the ledger's words and the wire.</summary>
internal static class PackTranslation
{
    /// <summary>A pack that is sold.</summary>
    public static PackOffer ToView(PricedPack pack) =>
        new(
            pack.Id,
            pack.Provider,
            pack.Model,
            WireNumber.Of(pack.Credits),
            WireNumber.Of(pack.CreditsPer1m.Input),
            WireNumber.Of(pack.CreditsPer1m.Output),
            PackRates.TokensFor(pack.Credits.Nanos / 1000, pack.CreditsPer1m) ?? 0,
            WireNumber.Of(pack.PriceUsd),
            pack.ValidDays
        );

    /// <summary>The packs of an account in which everything due is done, newest first.</summary>
    public static IEnumerable<OwnedPack> Owned(Account account, RateBook book, RateCard card, DateTimeOffset now)
    {
        var orders = account.Orders.All.Values.Where(order => order.Pocket is not null).ToDictionary(order => order.Pocket!.Value);
        return account
            .Wallet.Pockets.Where(pocket => pocket is { Unit: Unit.Credits, Scope: not null })
            .OrderByDescending(pocket => pocket.Id.Number)
            .Select(pocket => ToView(pocket, orders.GetValueOrDefault(pocket.Id), book, card, now));
    }

    /// <summary>A pack's id on the wire.</summary>
    public static string IdOf(Pocket pocket) => "pk_" + pocket.OpenedBy.ToString("N");

    /// <summary>How a pack is.</summary>
    public static string StatusOf(Pocket pocket, DateTimeOffset now) =>
        pocket.LapsedAt(now) ? "EXPIRED"
        : pocket.Remaining == 0 ? "EXHAUSTED"
        : "ACTIVE";

    private static OwnedPack ToView(Pocket pocket, Order? order, RateBook book, RateCard card, DateTimeOffset now)
    {
        var slash = pocket.Scope!.IndexOf('/', StringComparison.Ordinal);
        var rates = PackRates.Of(pocket.Scope, order, book, card);
        return new(
            IdOf(pocket),
            order?.Item,
            pocket.Scope[..slash],
            pocket.Scope[(slash + 1)..],
            WireNumber.Of(pocket.Granted, Unit.Credits),
            new Amount(pocket.Remaining, Unit.Credits).WholeFloor(),
            rates is null ? null : PackRates.TokensFor(pocket.Remaining, rates),
            StatusOf(pocket, now),
            pocket.OpenedAt,
            pocket.ExpiresAt
        );
    }
}
