using Ledger.Domain.Keys;
using Ledger.Testing;

namespace Ledger.Api.Tests.Access;

/// <summary>Who may do what: every kind of token against every group of routes, as the contract's table of kinds has it.</summary>
public sealed class KindsTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Chat = """{"tool":"chat","units":1}""";
    private readonly LedgerApp _app = shared.App;

    /// <summary>What a route answers to whoever may use it.</summary>
    private static readonly Dictionary<string, (string Method, string Path, string? Body, int Status)> Routes = new()
    {
        ["tools"] = ("POST", "/api/v1/tools/check", Chat, 200),
        ["prices"] = ("GET", "/api/v1/tools/prices", null, 200),
        ["referral"] = ("GET", "/api/v1/referral", null, 200),
        ["account"] = ("GET", "/v1/account/keys", null, 200),
        ["balance"] = ("GET", "/v1/account/balance", null, 200),
        ["trail"] = ("GET", "/v1/account/trail", null, 200),
        ["tenant"] = ("GET", "/tenant/keys", null, 200),
        ["billing"] = ("POST", "/tenant/billing/topup", """{"amount_usd":5}""", 200),
        ["credits"] = ("GET", "/api/v1/credits", null, 200),
        ["buying"] = ("POST", "/api/v1/credits/payg/create-checkout-session", """{"amount_usd":5}""", 200),
        ["models"] = ("GET", "/v1/models", null, 200),
        ["packs"] = ("GET", "/v1/packs", null, 200),
        ["checkout"] = ("POST", "/v1/packs/checkout", """{"pack":"deepseek-chat-20k"}""", 200),
        ["admin"] = ("GET", "/admin/accounts", null, 200),
    };

    [Theory]
    [InlineData("pay_per_token", "tools prices referral tenant billing credits buying models packs checkout", 403)]
    [InlineData("subscription", "tools prices referral tenant billing credits buying models packs checkout", 403)]
    [InlineData("provisioning", "account balance trail tenant billing credits models packs", 403)]
    [InlineData("token", "tools prices referral account balance trail tenant billing credits buying models packs checkout", 403)]
    [InlineData("operator", "admin", 401)]
    [InlineData("nobody", "", 401)]
    [InlineData("made up", "", 401)]
    public async Task Each_kind_opens_what_it_is_for_and_nothing_else(string kind, string opens, int otherwise)
    {
        var token = await TokenOfAsync(kind);
        foreach (var (name, (method, path, body, status)) in Routes)
        {
            var answer = await _app.SendAsync(new(method), path, token, body);

            // Of the operator's routes nobody else learns more than that they are not the operator.
            var refused = name == "admin" ? 401 : otherwise;
            answer.ShouldBe(opens.Split(' ').Contains(name) ? status : refused);
        }
    }

    [Fact]
    public async Task What_a_key_needs_of_its_owner_is_said_before_what_it_is_for()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        await _app.SuspendAsync(account.Id);
        foreach (var (name, (method, path, body, _)) in Routes.Where(route => route.Key != "admin"))
            (await _app.SendAsync(new(method), path, account.Key, body)).ShouldBe(403).Body.ShouldContain("suspended", customMessage: name);
        await _app.RevokeAsync(account);
        foreach (var (_, (method, path, body, _)) in Routes.Where(route => route.Key != "admin"))
            (await _app.SendAsync(new(method), path, account.Key, body)).ShouldBe(401).ShouldHave("WWW-Authenticate", "Bearer");
    }

    private async Task<string?> TokenOfAsync(string kind)
    {
        switch (kind)
        {
            case "operator":
                return LedgerApp.AdminKey;
            case "nobody":
                return null;
            case "made up":
                return Keys.KeySecret.Create("lk").Text;
            case "token":
                const string Credentials = """{"email":"kinds@example.com","password":"correct horse"}""";
                (await _app.PostAsync("/api/v1/auth/register", null, Credentials)).ShouldBe(201);
                return (await _app.PostAsync("/api/v1/auth/token", null, Credentials)).ShouldBe(200).Text("access_token");
            case "subscription":
                var owner = await _app.OpenAccountAsync();
                return (
                    await _app.PostAsync(
                        $"/admin/accounts/{owner.Id}/keys",
                        LedgerApp.AdminKey,
                        """{"name":"k","billing":"subscription"}"""
                    )
                )
                    .ShouldBe(201)
                    .Text("key");
            default:
                return (await _app.OpenAccountAsync(kind: kind == "provisioning" ? KeyKind.Provisioning : KeyKind.Inference)).Key;
        }
    }
}
