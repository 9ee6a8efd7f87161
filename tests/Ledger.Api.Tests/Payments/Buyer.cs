using Ledger.Testing;

namespace Ledger.Api.Tests.Payments;

/// <summary>Somebody who buys, and the buttons of the sandbox's pages.</summary>
internal static class Buyer
{
    /// <summary>Opens a page on which credits can be bought.</summary>
    /// <returns>Its session.</returns>
    public static async Task<string> OrderCreditsAsync(this LedgerClient app, TestAccount account, decimal dollars) =>
        (await app.PostAsync("/api/v1/credits/payg/create-checkout-session", account.Key, new { amount_usd = dollars }))
            .ShouldBe(200)
            .Text("session_id")!;

    /// <summary>Opens a page on which a pack can be bought.</summary>
    /// <returns>Its session.</returns>
    public static async Task<string> OrderPackAsync(this LedgerClient app, TestAccount account, string pack = "deepseek-chat-20k") =>
        (await app.PostAsync("/v1/packs/checkout", account.Key, new { pack })).ShouldBe(200).Text("session_id")!;

    /// <summary>Opens a page on which the prepaid balance can be topped up.</summary>
    /// <returns>Its session.</returns>
    public static async Task<string> OrderTopupAsync(this LedgerClient app, TestAccount account, decimal dollars) =>
        (await app.PostAsync("/tenant/billing/topup", account.Key, new { amount_usd = dollars })).ShouldBe(200).Text("session_id")!;

    /// <summary>Opens a page on which a subscription can be bought.</summary>
    /// <returns>Its session.</returns>
    public static async Task<string> OrderTierAsync(this LedgerClient app, TestAccount account, string tier = "pro") =>
        (await app.PostAsync("/tenant/billing/checkout", account.Key, new { tier })).ShouldBe(200).Text("session_id")!;

    /// <summary>Buys credits and pays.</summary>
    /// <returns>The session that was paid.</returns>
    public static async Task<string> BuyCreditsAsync(this LedgerClient app, TestAccount account, decimal dollars) =>
        await app.PayAsync(await app.OrderCreditsAsync(account, dollars));

    /// <summary>Buys a subscription and pays.</summary>
    /// <returns>The session that was paid.</returns>
    public static async Task<string> SubscribeAsync(this LedgerClient app, TestAccount account, string tier = "pro") =>
        await app.PayAsync(await app.OrderTierAsync(account, tier));

    /// <summary>Presses a button of a checkout page, as a script does.</summary>
    public static Task<Answer> PressAsync(this LedgerClient app, string session, string button, object? body = null) =>
        app.PostAsync($"/sandbox/checkout/{session}/{button}", null, body);

    /// <summary>Opens the portal.</summary>
    /// <returns>Its path.</returns>
    public static async Task<string> OpenPortalAsync(this LedgerClient app, TestAccount account) =>
        new Uri((await app.PostAsync("/tenant/billing/portal", account.Key)).ShouldBe(200).Text("url")!).AbsolutePath;

    /// <summary>Lets the card that the sandbox keeps be declined, or work again.</summary>
    public static async Task LetCardAsync(this LedgerClient app, TestAccount account, string doThis) =>
        (await app.PostAsync($"{await app.OpenPortalAsync(account)}/{doThis}")).ShouldBe(204);

    /// <summary>Has work done that costs five credits a unit.</summary>
    public static Task<Answer> ChatAsync(this LedgerClient app, TestAccount account, int units, string reference) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units,
                reference,
            }
        );

    /// <summary>A member of the balance as the credits dialect shows it, in credits.</summary>
    public static async Task<decimal> CreditsAsync(this LedgerClient app, TestAccount account, string member = "total_available_credits") =>
        (await app.GetAsync("/api/v1/credits", account.Key)).ShouldBe(200).Json.GetProperty(member).GetDecimal();

    /// <summary>How often each kind of event stands in the account's stream.</summary>
    public static async Task<IReadOnlyDictionary<string, int>> CountsAsync(this LedgerApp app, TestAccount account) =>
        (await app.EventsAsync(account.Id)).CountBy(stored => stored.Type).ToDictionary();

    private static async Task<string> PayAsync(this LedgerClient app, string session)
    {
        (await app.PressAsync(session, "pay")).ShouldBe(200).Text("status").ShouldBe("paid");
        return session;
    }
}
