using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.Api.Http;
using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard.Activity;

/// <summary>
/// Receipts to look at and to take away. The page says what the receipt's own JSON says and nothing else, so that whoever takes it away has what was shown.
/// </summary>
internal sealed class ReceiptPages(ReceiptDesk desk)
{
    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<ReceiptPages>(services);
        customers.Page("/activity/receipts/{id}", pages.ShowAsync);
        customers.Read("/activity/receipts/{id}.json", pages.SendAsync);
    }

    private async Task<PageAnswer> ShowAsync(CustomerVisit visit)
    {
        if (await FindAsync(visit) is not { } text)
            return PageAnswer.NotFound;
        using var json = JsonDocument.Parse(text);
        var verdict = ReceiptCheck.Check(text, ReceiptAnchors.None);
        return PageAnswer.Show<ReceiptPage, ReceiptModel>("Receipt", Read(json.RootElement.GetProperty("data"), verdict, visit));
    }

    private async Task SendAsync(CustomerVisit visit)
    {
        if (await FindAsync(visit) is not { } text)
        {
            await ApiErrors.SendAsync(visit.Context, new ApiError(404, "spend_not_found", "The account has no such spend."));
            return;
        }

        var response = visit.Context.Response;
        response.ContentType = "application/json";
        response.ContentLength = text.Length;
        response.Headers.ContentDisposition = $"attachment; filename=\"receipt-{Guid.ParseExact(visit.Route("id"), "D")}.json\"";
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        await response.Body.WriteAsync(text, visit.Gone);
    }

    /// <summary>The receipt as the API answers it; null where the account has no such spend.</summary>
    private async Task<byte[]?> FindAsync(CustomerVisit visit)
    {
        if (
            !Guid.TryParseExact(visit.Route("id"), "D", out var spend)
            || await desk.FindAsync(visit.Account, spend, visit.Gone) is not { } receipt
        )
            return null;
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true }))
        {
            json.WriteStartObject();
            json.WritePropertyName("data");
            receipt.Write(json);
            json.WriteEndObject();
        }

        return text.ToArray();
    }

    private static ReceiptModel Read(JsonElement receipt, ReceiptVerdict verdict, CustomerVisit visit)
    {
        var spend = receipt.GetProperty("spend");
        var unit = Text(spend, "unit") == Unit.Usd.Name() ? Unit.Usd : Unit.Credits;
        var checkpoints = receipt.GetProperty("checkpoints");
        var key = Text(spend, "key_id");
        var hold = spend.GetProperty("hold");
        return new(
            receipt.GetProperty("spend_id").GetGuid(),
            receipt.GetProperty("pending").GetBoolean(),
            Time(spend, "at"),
            Text(spend, "what")!,
            Text(spend, "reference")!,
            spend.GetProperty("units").GetRawText(),
            Money(spend, "charged", unit),
            Money(spend, "debt", unit),
            key is null ? "Signed in, without a key" : visit.Account.Keys.Find(new(key))?.Name ?? key,
            PriceOf(spend.GetProperty("price")),
            [.. spend.GetProperty("paid").EnumerateArray().Select(paid => ShareOf(paid, unit))],
            hold.ValueKind == JsonValueKind.Null ? null : new(Time(hold, "placed_at"), Money(hold, "amount", unit)),
            spend.GetProperty("call") is { ValueKind: JsonValueKind.Object } call ? CallOf(call, hold) : null,
            spend.GetProperty("reversal") is { ValueKind: JsonValueKind.Object } reversal
                ? new(Time(reversal, "at"), Money(reversal, "amount", unit), Text(reversal, "reason"))
                : null,
            PlaceOf("spend", receipt.GetProperty("event"), receipt.GetProperty("proof")),
            receipt.GetProperty("proof") is { ValueKind: JsonValueKind.Object } proof ? InclusionOf(proof, checkpoints) : null,
            [
                .. receipt
                    .GetProperty("evidence")
                    .EnumerateArray()
                    .Select(evidence => PlaceOf(Text(evidence, "role")!, evidence.GetProperty("event"), evidence.GetProperty("proof"))),
            ],
            verdict.Lines,
            verdict.IsGood
        );
    }

    private static ReceiptPrice PriceOf(JsonElement price) =>
        new(
            price.GetProperty("card_version").GetRawText(),
            Text(price, "entry")!,
            Time(price, "effective_at"),
            [
                .. price
                    .GetProperty("rates")
                    .EnumerateObject()
                    .Select(rate =>
                        (
                            rate.Name.Replace('_', ' '),
                            rate.Value.ValueKind == JsonValueKind.String ? rate.Value.GetString()! : rate.Value.GetRawText()
                        )
                    ),
            ]
        );

    private static ReceiptShare ShareOf(JsonElement paid, Unit unit)
    {
        var granted = paid.GetProperty("granted");
        var order = granted.GetProperty("order");
        return new(
            Money(paid, "amount", unit),
            paid.GetProperty("pocket_id").GetRawText(),
            Text(paid, "source")!,
            Text(paid, "scope"),
            Time(granted, "at"),
            Money(granted, "amount", unit),
            $"{Text(granted, "provider")} {Text(granted, "reference")}",
            Text(granted, "reason"),
            order.ValueKind == JsonValueKind.Null
                ? null
                : new(
                    Text(order, "order_id")!,
                    Money(order, "paid_usd", Unit.Usd),
                    Time(order, "paid_at"),
                    Text(order, "provider")!,
                    Text(order, "payment_id")!
                )
        );
    }

    private static ReceiptCall CallOf(JsonElement call, JsonElement hold) =>
        new(
            $"{Text(call, "provider")}/{Text(call, "model")}",
            hold.ValueKind == JsonValueKind.Object ? Text(hold, "asked") : null,
            [.. call.GetProperty("tokens").EnumerateObject().Select(tokens => (tokens.Name.Replace('_', ' '), tokens.Value.GetInt64()))],
            call.GetProperty("estimated").GetBoolean(),
            Text(call, "outcome")!.Replace('_', ' '),
            call.GetProperty("latency_ms").GetInt64(),
            call.GetProperty("quota_tokens") is { ValueKind: JsonValueKind.Number } quota ? quota.GetInt64() : null
        );

    private static ReceiptPlace PlaceOf(string role, JsonElement @event, JsonElement proof) =>
        new(
            role.Replace('_', ' '),
            Text(@event, "type")!,
            @event.GetProperty("position").GetInt64(),
            Time(@event, "at"),
            Text(@event, "hash")!,
            proof.ValueKind == JsonValueKind.Object ? proof.GetProperty("checkpoint").GetInt64() : null
        );

    private static ReceiptInclusion InclusionOf(JsonElement proof, JsonElement checkpoints)
    {
        var number = proof.GetProperty("checkpoint").GetInt64();
        var checkpoint = checkpoints.EnumerateArray().Single(known => known.GetProperty("number").GetInt64() == number);
        return new(
            number,
            Time(checkpoint, "at"),
            Text(checkpoint, "root")!,
            Text(checkpoint, "key_id")!,
            proof.GetProperty("index").GetInt64(),
            checkpoint.GetProperty("count").GetInt64(),
            [.. proof.GetProperty("path").EnumerateArray().Select(node => node.GetString()!)]
        );
    }

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();

    // Receipts have times to the microsecond, in a form of their own for the log and in the wire's for words.
    private static DateTimeOffset Time(JsonElement element, string name) =>
        DateTimeOffset.Parse(element.GetProperty(name).GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    // The wire's numbers are exact, within what an amount may be.
    private static Amount Money(JsonElement element, string name, Unit unit) =>
        Amount.TryParse(element.GetProperty(name).GetRawText(), unit, out var amount)
            ? amount
            : throw new InvalidDataException($"The receipt's {name} is no amount.");
}
