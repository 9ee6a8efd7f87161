using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway;

/// <summary>One call through: held, carried, charged.</summary>
public class CallTests
{
    [Fact]
    public async Task A_call_costs_what_the_provider_reports()
    {
        await using var gateway = await GatewayApp.StartAsync();
        var app = gateway.App;
        var account = await app.OpenAccountAsync();
        await app.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        gateway.Upstream.Next(UpstreamScript.Says("Hello ", "there").Using(new(100, 50)));

        var answer = await app.PostAsync(
            "/v1/chat/completions",
            account.Key,
            new { model = "gpt-4o", messages = (object[])[new { role = "user", content = "Hi" }] }
        );

        answer.Status.ShouldBe(200, answer.Body);
        answer.Header("x-ledger-cost").ShouldBe("0.0002");
        answer.Header("x-ledger-balance").ShouldBe("0.9998");
        answer.Json.GetProperty("model").GetString().ShouldBe("gpt-4o");
        gateway.Upstream.Calls.ShouldHaveSingleItem().Model.ShouldBe("up-plain");
    }
}
