using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using Ledger.Testing;
using Ledger.Upstream;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>OpenAI's own client for .NET, against this server: before a provider of its own protocol, and before one of the other.</summary>
public sealed class OpenAiDotNetTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private static readonly UpstreamScript Answer = UpstreamScript.Says("Hello ", "there").Using(new(7, 3, CacheRead: 1));
    private static readonly UpstreamScript TwoCalls = UpstreamScript
        .Says()
        .Using(new(40, 20))
        .Calling("call_1", "weather", """{"city":"Oslo"}""")
        .Calling("call_2", "weather", """{"city":"Rome"}""");

    private static readonly ChatCompletionOptions WithTools = new()
    {
        Tools =
        {
            ChatTool.CreateFunctionTool(
                "weather",
                "The weather of a city.",
                BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}}}""")
            ),
        },
    };

    public static TheoryData<string> Models => new("gpt-4o", "anthropic/plain");

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_completion_is_read_and_charged_to_the_smallest_part(string model)
    {
        var account = await world.OpenAsync(Answer);
        var result = await ClientOf(account, model).CompleteChatAsync(new UserChatMessage("Hi"));
        result.Value.Content[0].Text.ShouldBe("Hello there");
        result.Value.Model.ShouldBe(model);
        result.Value.FinishReason.ShouldBe(ChatFinishReason.Stop);
        result.Value.CreatedAt.Year.ShouldBeGreaterThan(2020);
        result.Value.Usage.InputTokenCount.ShouldBe(8);
        result.Value.Usage.InputTokenDetails.CachedTokenCount.ShouldBe(1);
        result.Value.Usage.OutputTokenCount.ShouldBe(3);
        result.GetRawResponse().Headers.TryGetValue("x-ledger-cost", out var cost).ShouldBeTrue();
        cost.ShouldBe("0.0000131");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_is_read_piece_by_piece(string model)
    {
        var account = await world.OpenAsync(Answer);
        var text = new StringBuilder();
        ChatTokenUsage? usage = null;
        await foreach (var update in ClientOf(account, model).CompleteChatStreamingAsync(new UserChatMessage("Hi")))
        {
            foreach (var part in update.ContentUpdate)
                text.Append(part.Text);
            usage = update.Usage ?? usage;
        }

        text.ToString().ShouldBe("Hello there");
        usage!.TotalTokenCount.ShouldBe(11);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Tools_are_called_and_their_results_told(string model)
    {
        var account = await world.OpenAsync(TwoCalls, Answer);
        var client = ClientOf(account, model);
        var messages = new List<ChatMessage> { new UserChatMessage("Where is it sunny?") };
        var asked = (await client.CompleteChatAsync(messages, WithTools)).Value;
        asked.FinishReason.ShouldBe(ChatFinishReason.ToolCalls);
        messages.Add(new AssistantChatMessage(asked));
        foreach (var call in asked.ToolCalls)
        {
            using var arguments = System.Text.Json.JsonDocument.Parse(call.FunctionArguments);
            messages.Add(new ToolChatMessage(call.Id, "Sunny in " + arguments.RootElement.GetProperty("city").GetString()));
        }

        var told = (await client.CompleteChatAsync(messages, WithTools)).Value;
        told.Content[0].Text.ShouldBe("Hello there");
        world.Upstream.Calls[^1].Text.ShouldContain("Sunny in Oslo");
        world.Upstream.Calls[^1].Text.ShouldContain("Sunny in Rome");
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed", "0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Arguments_of_tools_come_whole_in_a_stream(string model)
    {
        var account = await world.OpenAsync(TwoCalls);
        var calls = new SortedDictionary<int, string>();
        var updates = ClientOf(account, model).CompleteChatStreamingAsync([new UserChatMessage("Hi")], WithTools);
        await foreach (var call in updates.SelectMany(update => update.ToolCallUpdates.ToAsyncEnumerable()))
            calls[call.Index] = calls.GetValueOrDefault(call.Index, call.FunctionName ?? "") + call.FunctionArgumentsUpdate;
        calls.Values.ShouldBe(["""weather{"city":"Oslo"}""", """weather{"city":"Rome"}"""]);
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_picture_is_seen(string model)
    {
        var account = await world.OpenAsync(Answer);
        var picture = ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(Convert.FromBase64String(Asks.Pixel)), "image/png");
        await ClientOf(account, model).CompleteChatAsync(new UserChatMessage("What colour?", picture));
        world.Upstream.Calls[^1].Text.ShouldContain(Asks.Pixel);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [InlineData("none", 400)]
    [InlineData("nobody/plain", 502)]
    public async Task What_is_refused_is_thrown_with_its_status_and_costs_nothing(string model, int status)
    {
        var account = await world.OpenAsync();
        var thrown = await Should.ThrowAsync<ClientResultException>(() =>
            ClientOf(account, model).CompleteChatAsync(new UserChatMessage("Hi"))
        );
        thrown.Status.ShouldBe(status);
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_wrong_key_and_an_empty_wallet_are_thrown_with_their_status()
    {
        var account = await world.App.OpenAccountAsync();
        var poor = await Should.ThrowAsync<ClientResultException>(() => ClientOf(account).CompleteChatAsync(new UserChatMessage("Hi")));
        poor.Status.ShouldBe(402);
        poor.Message.ShouldContain("insufficient_credits");
        var wrong = account with { Key = "lk_live_nobody" };
        (
            await Should.ThrowAsync<ClientResultException>(() => ClientOf(wrong).CompleteChatAsync(new UserChatMessage("Hi")))
        ).Status.ShouldBe(401);
    }

    [Fact]
    public async Task A_provider_that_fails_is_asked_again_by_the_client_and_one_answer_is_charged()
    {
        var account = await world.OpenAsync(UpstreamScript.Refuses(500), Answer);
        var result = await ClientOf(account, retries: 1).CompleteChatAsync(new UserChatMessage("Hi"));
        result.Value.Content[0].Text.ShouldBe("Hello there");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task It_repeats_also_what_says_that_this_is_in_vain_and_nothing_is_charged()
    {
        var account = await world.OpenAsync();
        var client = ClientOf(account, "nobody/plain", retries: 1);
        (await Should.ThrowAsync<ClientResultException>(() => client.CompleteChatAsync(new UserChatMessage("Hi")))).Status.ShouldBe(502);
        (await world.App.EventsAsync(account.Id)).Count(stored => stored.Type == "hold_released").ShouldBe(2);
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_that_fails_in_the_middle_ends_without_a_reason_as_this_client_knows_no_errors_there(string model)
    {
        var account = await world.OpenAsync(Answer.FailAfter(1));
        var text = new StringBuilder();
        ChatFinishReason? reason = null;
        await foreach (var update in ClientOf(account, model).CompleteChatStreamingAsync(new UserChatMessage("Hi")))
        {
            text.AppendJoin("", update.ContentUpdate.Select(part => part.Text));
            reason = update.FinishReason ?? reason;
        }

        text.ToString().ShouldBe("Hello ");
        reason.ShouldBeNull();
        (await world.ChargesAsync(account)).ShouldHaveSingleItem().ShouldEndWith("upstream_cut estimated");
    }

    [Fact]
    public async Task Models_are_listed_and_found_also_by_a_name_with_a_slash()
    {
        var account = await world.OpenAsync();
        var client = new OpenAIModelClient(new ApiKeyCredential(account.Key), OptionsOf(0));
        var models = (await client.GetModelsAsync()).Value;
        models[0].Id.ShouldBe("auto");
        (await client.GetModelAsync("openai/plain")).Value.OwnedBy.ShouldBe("openai");
    }

    private ChatClient ClientOf(TestAccount account, string model = "gpt-4o", int retries = 0) =>
        new(model, new ApiKeyCredential(account.Key), OptionsOf(retries));

    private OpenAIClientOptions OptionsOf(int retries) =>
        new() { Endpoint = new(world.Origin + "/v1"), RetryPolicy = new ClientRetryPolicy(retries) };
}
