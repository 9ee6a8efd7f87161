using System.Text.Json.Nodes;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>What clients ask, as their users write it.</summary>
internal static class Asks
{
    /// <summary>A picture of one pixel.</summary>
    public const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

    private const string Weather =
        """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}""";

    /// <summary>A tool as OpenAI's clients give it.</summary>
    public const string OpenAiTools =
        $$$"""[{"type":"function","function":{"name":"weather","description":"The weather of a city.","parameters":{{{Weather}}}}}]""";

    /// <summary>The same tool as Anthropic's clients give it.</summary>
    public const string AnthropicTools = $$$"""[{"name":"weather","description":"The weather of a city.","input_schema":{{{Weather}}}}]""";

    /// <summary>A chat of one line for OpenAI's clients; <paramref name="more"/> is JSON members besides.</summary>
    public static JsonObject Chat(string model = "gpt-4o", string more = "{}") =>
        With(new() { ["model"] = model, ["messages"] = Hello() }, more);

    /// <summary>A message for Anthropic's clients; <paramref name="more"/> is JSON members besides.</summary>
    public static JsonObject Message(string model = "claude-sonnet-4-5", string more = "{}") =>
        With(
            new()
            {
                ["model"] = model,
                ["max_tokens"] = 64,
                ["messages"] = Hello(),
            },
            more
        );

    /// <summary>What a program is told: the body, and JSON members besides.</summary>
    public static JsonObject Input(JsonObject body, string more = "{}") => With(new() { ["body"] = body.DeepClone() }, more);

    private static JsonArray Hello() => new(new JsonObject { ["role"] = "user", ["content"] = "Hi" });

    private static JsonObject With(JsonObject to, string more)
    {
        foreach (var (name, value) in JsonNode.Parse(more)!.AsObject())
            to[name] = value?.DeepClone();
        return to;
    }
}
