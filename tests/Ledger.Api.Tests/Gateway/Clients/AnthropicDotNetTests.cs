using System.Text;
using System.Text.Json;
using Anthropic;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;
using Anthropic.Models.Models;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>Anthropic's own client for .NET, against this server: before a provider of its own protocol, and before one of the other.</summary>
public sealed class AnthropicDotNetTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private static readonly UpstreamScript Answer = UpstreamScript.Says("Hello ", "there").Using(new(7, 3, CacheRead: 1));
    private static readonly UpstreamScript TwoCalls = UpstreamScript
        .Says()
        .Using(new(40, 20))
        .Calling("toolu_1", "weather", """{"city":"Oslo"}""")
        .Calling("toolu_2", "weather", """{"city":"Rome"}""");

    public static TheoryData<string> Models => new("claude-sonnet-4-5", "openai/plain");

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_message_is_read_and_charged_to_the_smallest_part(string model)
    {
        var account = await world.OpenAsync(Answer);
        using var client = ClientOf(account);
        using var response = await client.WithRawResponse.Messages.Create(AskOf(model));
        response.TryGetHeaderValues("x-ledger-cost", out var cost).ShouldBeTrue();
        cost!.ShouldBe(["0.0000131"]);
        var message = await response.Deserialize();
        message.Content[0].TryPickText(out var text).ShouldBeTrue();
        text!.Text.ShouldBe("Hello there");
        message.Usage.InputTokens.ShouldBe(7);
        message.Usage.CacheReadInputTokens.ShouldBe(1);
        message.Usage.OutputTokens.ShouldBe(3);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_is_read_piece_by_piece(string model)
    {
        var account = await world.OpenAsync(Answer);
        using var client = ClientOf(account);
        (await TextOfAsync(client, AskOf(model))).ShouldBe("Hello there");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Tools_are_called(string model)
    {
        var account = await world.OpenAsync(TwoCalls);
        using var client = ClientOf(account);
        var tool = new Tool
        {
            Name = "weather",
            InputSchema = new()
            {
                Properties = new Dictionary<string, JsonElement> { ["city"] = JsonElement.Parse("""{"type":"string"}""") },
            },
        };
        var message = await client.Messages.Create(AskOf(model) with { Tools = [tool] });
        message
            .Content.Select(block => block.TryPickToolUse(out var call) ? $"{call.ID} {call.Name} {call.Input["city"]}" : "")
            .ShouldBe(["toolu_1 weather Oslo", "toolu_2 weather Rome"]);
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed"]);
    }

    [Fact]
    public async Task A_refusal_has_its_own_exception_and_costs_nothing()
    {
        var account = await world.OpenAsync(UpstreamScript.Refuses(422, "Too spicy."), UpstreamScript.Refuses(529));
        using var client = ClientOf(account);
        (await Should.ThrowAsync<AnthropicNotFoundException>(() => client.Messages.Create(AskOf("none")))).RequestID.ShouldNotBeNull();
        (await Should.ThrowAsync<AnthropicBadRequestException>(() => client.Messages.Create(AskOf()))).Message.ShouldContain("Too spicy.");
        await Should.ThrowAsync<AnthropicOverloadedException>(() => client.Messages.Create(AskOf()));
        (await world.ChargesAsync(account)).ShouldBeEmpty();

        using var poor = ClientOf(await world.App.OpenAccountAsync());
        await Should.ThrowAsync<AnthropicPaymentRequiredException>(() => poor.Messages.Create(AskOf()));
        using var nobody = ClientOf(account with { Key = "lk_live_nobody" });
        await Should.ThrowAsync<AnthropicUnauthorizedException>(() => nobody.Messages.Create(AskOf()));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_that_fails_in_the_middle_throws(string model)
    {
        var account = await world.OpenAsync(Answer.FailAfter(1));
        using var client = ClientOf(account);
        await Should.ThrowAsync<AnthropicSseException>(() => TextOfAsync(client, AskOf(model)));
        (await world.ChargesAsync(account)).ShouldHaveSingleItem().ShouldEndWith("upstream_cut estimated");
    }

    [Fact]
    public async Task A_provider_that_fails_is_asked_again_by_the_client_and_one_answer_is_charged()
    {
        var account = await world.OpenAsync(UpstreamScript.Refuses(500), Answer);
        using var client = ClientOf(account, retries: 1);
        (await client.Messages.Create(AskOf())).StopReason!.Value().ShouldBe(StopReason.EndTurn);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task Tokens_are_counted_and_models_listed_also_at_a_tools_address()
    {
        var account = await world.SubscribeAsync("pro");
        using var client = ClientOf(account, "/claudecode");
        var count = await client.Messages.CountTokens(
            new() { Model = "claude-sonnet-4-5", Messages = [new UserMessageParam { Content = "Hi" }] }
        );
        count.InputTokens.ShouldBeGreaterThan(0);
        var page = await client.Models.List(new ModelListParams { Limit = 2 });
        page.Items[0].ID.ShouldBe("auto");
        page.HasNext().ShouldBeTrue();
        (await page.Next()).Items.Count.ShouldBe(2);
        (await client.Models.Retrieve("openai/plain")).DisplayName.ShouldBe("plain");
    }

    [Fact]
    public async Task A_tools_address_is_paid_from_the_subscriptions_quota()
    {
        var account = await world.SubscribeAsync("pro", Answer);
        using var client = new AnthropicClient
        {
            BaseUrl = world.Origin + "/claudecode",
            AuthToken = account.Key,
            MaxRetries = 0,
        };
        (await TextOfAsync(client, AskOf())).ShouldBe("Hello there");
        (await world.ChargesAsync(account)).ShouldBe(["0 completed"]);
    }

    private AnthropicClient ClientOf(TestAccount account, string prefix = "", int retries = 0) =>
        new()
        {
            BaseUrl = world.Origin + prefix,
            ApiKey = account.Key,
            MaxRetries = retries,
        };

    private static MessageCreateParams AskOf(string model = "claude-sonnet-4-5") =>
        new()
        {
            Model = model,
            MaxTokens = 64,
            Messages = [new UserMessageParam { Content = "Hi" }],
        };

    private static async Task<string> TextOfAsync(AnthropicClient client, MessageCreateParams ask)
    {
        var text = new StringBuilder();
        await foreach (var e in client.Messages.CreateStreaming(ask))
        {
            if (e.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickText(out var piece))
                text.Append(piece.Text);
        }

        return text.ToString();
    }
}
