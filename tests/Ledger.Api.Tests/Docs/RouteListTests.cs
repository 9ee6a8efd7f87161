using System.Text.Json;
using Ledger.Api.Tests.Gateway;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Docs;

/// <summary>The routes that the gateway and tenant document lists: each is there, and lets in whom the document says.</summary>
public sealed class RouteListTests(RouteWorld world) : IClassFixture<RouteWorld>
{
    public static TheoryData<string, string, string> Routes
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (
                var line in Repository
                    .Read("tests/Ledger.Api.Tests/Docs/gateway-and-tenant-routes.txt")
                    .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            )
            {
                var parts = line.Split(' ');
                data.Add(parts[0], parts[1], parts[2]);
            }

            return data;
        }
    }

    [Fact]
    public void The_list_is_whole() => Routes.Count.ShouldBe(20);

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_route_is_there_and_lets_in_whom_the_document_says(string method, string path, string auth)
    {
        var (account, subscription) = await world.OpenAsync();
        var nobody = await AskAsync(method, path, account, null);
        nobody.Status.ShouldBe(auth == "none" ? 200 : 401, nobody.ToString());
        if (auth == "none")
            return;
        (await AskAsync(method, path, account, "lk_live_nobody")).ShouldBe(401);

        // What is done last may end the key itself.
        var tuned = await AskAsync(method, path, account, subscription);
        tuned.Status.ShouldBe(auth == "any-key" ? OkOf(path, method) : 403, tuned.ToString());
        var own = await AskAsync(method, path, account, account.Key);
        own.Status.ShouldBe(OkOf(path, method), own.ToString());
    }

    private Task<Answer> AskAsync(string method, string path, TestAccount account, string? key) =>
        world.App.SendAsync(
            new HttpMethod(method),
            path.Replace(
                "{id}",
                key == account.Key || method != "DELETE" ? account.KeyId.Value : world.SubscriptionKey,
                StringComparison.Ordinal
            ),
            key,
            BodyOf(method, path)
        );

    private static object? BodyOf(string method, string path) =>
        method != "POST" ? null
        : path.Contains("/v1/", StringComparison.Ordinal)
            ? new
            {
                model = "sandbox/echo",
                max_tokens = 16,
                messages = (object[])[new { role = "user", content = "Hi" }],
            }
        : path switch
        {
            "/tenant/keys" => new { name = "another" },
            "/tenant/billing/topup" => new { amount_usd = 5 },
            "/tenant/billing/checkout" => new { tier = "pro" },
            _ => JsonElement.Parse("{}"),
        };

    // The account's subscription was set by the operator, so there is none to be bought.
    private static int OkOf(string path, string method) =>
        (method, path) switch
        {
            ("POST", "/tenant/keys") => 201,
            ("DELETE", _) => 204,
            (_, "/tenant/billing/checkout") => 409,
            _ => 200,
        };
}

/// <summary>A gateway, and accounts with both kinds of keys.</summary>
public sealed class RouteWorld : IAsyncLifetime
{
    private GatewayApp _gateway = null!;

    public LedgerApp App => _gateway.App;

    /// <summary>The id of the last account's key of its subscription.</summary>
    public string SubscriptionKey { get; private set; } = "";

    public async ValueTask InitializeAsync() => _gateway = await GatewayApp.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
    }

    /// <summary>An account with a dollar, a subscription, and the secret of a key of that.</summary>
    public async Task<(TestAccount Account, string Subscription)> OpenAsync()
    {
        var account = await App.OpenAccountAsync();
        await App.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        await App.ExecuteAsync(new SetSubscription(account.Id, EventIds.Request(account.Id, "subscribe"), "pro"));
        var (key, secret) = await App.CreateKeyAsync(account.Id, change: key => key with { Billing = KeyBilling.Subscription });
        SubscriptionKey = key.Value;
        return (account, secret);
    }
}
