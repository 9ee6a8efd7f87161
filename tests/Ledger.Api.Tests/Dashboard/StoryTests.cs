using Ledger.Api.Audit;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>A customer's first day, all of it in a browser.</summary>
public sealed class StoryTests(WorkspaceWorld world) : IClassFixture<WorkspaceWorld>
{
    [Fact]
    public async Task Somebody_signs_up_makes_a_key_pays_asks_a_model_sees_the_receipt_and_revokes_the_key()
    {
        var app = world.Gateway.App;
        await using var visitor = await world.VisitAsync();
        await visitor.SignUpAsync("story@example.com");

        await visitor.PressAsync("Create your first API key");
        await visitor.FillAsync("Name", "Notebook");
        await visitor.PressAsync("Create the key");
        var secret = await visitor.Page.GetByRole(AriaRole.Textbox, new() { Name = "Secret" }).InputValueAsync();

        await visitor.GoAsync("/credits");
        await visitor.Page.Locator("[name=topup_usd]").FillAsync("20");
        await visitor.Page.Locator("form[action='/credits/pay-in'] button").ClickAsync();
        await visitor.Page.WaitForURLAsync("**/sandbox/checkout/**");
        await visitor.PressAsync("Pay $20.00");
        await visitor.PressAsync("Back to Ledger");
        (await visitor.TextAsync()).ShouldContain("Paid $20.00");

        await visitor.GoAsync("/workspace");
        world.Gateway.Upstream.Next(UpstreamScript.Says("Good ", "morning").Using(new(100, 50)));
        await visitor.FillAsync("Message", "Hi");
        await visitor.Page.GetByLabel("Message").PressAsync("Enter");
        await Assertions.Expect(visitor.Page.Locator("#chat-status")).ToHaveTextAsync("Cost $0.0002. $19.9998 left.");
        await Assertions.Expect(visitor.Page.Locator(".turn:not(.mine) .turn-text").Last).ToHaveTextAsync("Good morning");

        // The key spends from the same dollars.
        world.Gateway.Upstream.Next(UpstreamScript.Says("By key").Using(new(100, 50)));
        var call = new { model = "openai/plain", messages = new[] { new { role = "user", content = "Hi" } } };
        (await app.PostAsync("/v1/chat/completions", secret, call)).ShouldBe(200).Header("x-ledger-balance").ShouldBe("19.9996");

        await app.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default);
        await visitor.GoAsync("/activity/spends");
        (await visitor.TextAsync()).ShouldContain("Notebook");
        await visitor.Page.Locator("tbody th a").First.ClickAsync();
        await visitor.Page.WaitForURLAsync("**/activity/receipts/**");
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("$0.0002"),
            text => text.ShouldContain("openai/plain"),
            text => text.ShouldContain("$20.00, paid"),
            text => text.ShouldContain("events under checkpoint 1 of")
        );

        await visitor.GoAsync("/keys");
        await visitor.PressAsync("Notebook");
        await visitor.PressAsync("Revoke…");
        await visitor.PressAsync("Revoke it for good");
        visitor.Path.ShouldBe("/keys?done=revoked");
        (await app.PostAsync("/v1/chat/completions", secret, call)).ShouldBe(401);
        await visitor.GoAsync("/");
        (await visitor.TextAsync()).ShouldContain("$19.9996");
        await visitor.LookAsync("story-overview");
    }
}
