using System.Text.Json.Nodes;

namespace Ledger.Upstream;

/// <summary>How a script is told in one protocol.</summary>
internal interface IVoice
{
    /// <summary>The whole answer.</summary>
    string Whole(UpstreamScript script, string model);

    /// <summary>What begins a stream, before the first piece.</summary>
    IEnumerable<string> Opening(UpstreamScript script, string model);

    /// <summary>One piece.</summary>
    string Piece(string text, string model);

    /// <summary>What ends a stream.</summary>
    IEnumerable<string> Closing(UpstreamScript script, string model, bool wantsUsage);

    /// <summary>An error as a body.</summary>
    string Error(int status, string code, string message);

    /// <summary>An error in a stream.</summary>
    string ErrorEvent(string type, string message);
}

/// <summary>OpenAI's chat completions.</summary>
internal sealed class OpenAiVoice : IVoice
{
    public string Whole(UpstreamScript script, string model)
    {
        var message = new JsonObject { ["role"] = "assistant", ["content"] = string.Concat(script.Pieces) };
        if (script.Tools.Count > 0)
            message["tool_calls"] = new JsonArray([
                .. script.Tools.Select(tool =>
                    (JsonNode)
                        new JsonObject
                        {
                            ["id"] = tool.Id,
                            ["type"] = "function",
                            ["function"] = new JsonObject { ["name"] = tool.Name, ["arguments"] = tool.Arguments },
                        }
                ),
            ]);
        var answer = Head(model, "chat.completion");
        answer["choices"] = new JsonArray(
            new JsonObject
            {
                ["index"] = 0,
                ["message"] = message,
                ["finish_reason"] = Finish(script.Finish),
            }
        );
        if (script.Use is not null)
            answer["usage"] = Usage(script.Use);
        return answer.ToJsonString();
    }

    public IEnumerable<string> Opening(UpstreamScript script, string model) =>
        [Chunk(model, new() { ["role"] = "assistant", ["content"] = "" })];

    public string Piece(string text, string model) => Chunk(model, new() { ["content"] = text });

    public IEnumerable<string> Closing(UpstreamScript script, string model, bool wantsUsage)
    {
        for (var i = 0; i < script.Tools.Count; i++)
        {
            var tool = script.Tools[i];
            var half = tool.Arguments.Length / 2;
            yield return Chunk(
                model,
                Call(
                    new()
                    {
                        ["index"] = i,
                        ["id"] = tool.Id,
                        ["type"] = "function",
                        ["function"] = new JsonObject { ["name"] = tool.Name, ["arguments"] = tool.Arguments[..half] },
                    }
                )
            );
            yield return Chunk(
                model,
                Call(
                    new()
                    {
                        ["index"] = i,
                        ["function"] = new JsonObject { ["arguments"] = tool.Arguments[half..] },
                    }
                )
            );
        }

        yield return Chunk(model, [], Finish(script.Finish));
        if (script.Use is not null && (wantsUsage || script.IsUsageForced))
        {
            var last = Head(model, "chat.completion.chunk");
            last["choices"] = new JsonArray();
            last["usage"] = Usage(script.Use);
            yield return Frame(last);
        }

        yield return "data: [DONE]\n\n";
    }

    public string Error(int status, string code, string message) =>
        new JsonObject
        {
            ["error"] = new JsonObject
            {
                ["message"] = message,
                ["type"] = status < 500 ? "invalid_request_error" : "server_error",
                ["param"] = null,
                ["code"] = code.Length > 0 ? code : null,
            },
        }.ToJsonString();

    public string ErrorEvent(string type, string message) =>
        Frame(
            new()
            {
                ["error"] = new JsonObject
                {
                    ["message"] = message,
                    ["type"] = type,
                    ["code"] = null,
                },
            }
        );

    private static string Chunk(string model, JsonObject delta, string? finish = null)
    {
        var chunk = Head(model, "chat.completion.chunk");
        chunk["choices"] = new JsonArray(
            new JsonObject
            {
                ["index"] = 0,
                ["delta"] = delta,
                ["finish_reason"] = finish,
            }
        );
        return Frame(chunk);
    }

    private static JsonObject Call(JsonObject call) => new() { ["tool_calls"] = new JsonArray(call) };

    private static JsonObject Head(string model, string kind) =>
        new()
        {
            ["id"] = "chatcmpl-upstream",
            ["object"] = kind,
            ["created"] = 1783080000,
            ["model"] = model,
        };

    // What was read from a cache is part of prompt_tokens, and so is what was written.
    private static JsonObject Usage(UpstreamUse use)
    {
        var input = use.Input + use.CacheRead + use.CacheWrite + use.CacheWrite1h;
        return new()
        {
            ["prompt_tokens"] = input,
            ["completion_tokens"] = use.Output,
            ["total_tokens"] = input + use.Output,
            ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = use.CacheRead },
            ["completion_tokens_details"] = new JsonObject { ["reasoning_tokens"] = use.Reasoning },
        };
    }

    private static string Finish(UpstreamFinish finish) =>
        finish switch
        {
            UpstreamFinish.Done => "stop",
            UpstreamFinish.Length => "length",
            UpstreamFinish.ContentFilter => "content_filter",
            UpstreamFinish.Tool => "tool_calls",
        };

    private static string Frame(JsonObject json) => $"data: {json.ToJsonString()}\n\n";
}

/// <summary>Anthropic's messages.</summary>
internal sealed class AnthropicVoice : IVoice
{
    public string Whole(UpstreamScript script, string model)
    {
        var message = Head(model);
        var content = new JsonArray();
        if (script.Pieces.Count > 0)
            content.Add((JsonNode)new JsonObject { ["type"] = "text", ["text"] = string.Concat(script.Pieces) });
        foreach (var tool in script.Tools)
            content.Add(
                (JsonNode)
                    new JsonObject
                    {
                        ["type"] = "tool_use",
                        ["id"] = tool.Id,
                        ["name"] = tool.Name,
                        ["input"] = JsonNode.Parse(tool.Arguments),
                    }
            );
        message["content"] = content;
        message["stop_reason"] = Finish(script.Finish);
        message["stop_sequence"] = null;
        if (script.Use is not null)
            message["usage"] = Usage(script.Use, script.Use.Output);
        return message.ToJsonString();
    }

    public IEnumerable<string> Opening(UpstreamScript script, string model)
    {
        var message = Head(model);
        message["content"] = new JsonArray();
        message["stop_reason"] = null;
        message["stop_sequence"] = null;
        if (script.Use is not null)
            message["usage"] = Usage(script.Use, 1);
        yield return Event("message_start", new() { ["message"] = message });
        yield return Event("ping", []);
        if (script.Pieces.Count > 0)
            yield return Event(
                "content_block_start",
                new()
                {
                    ["index"] = 0,
                    ["content_block"] = new JsonObject { ["type"] = "text", ["text"] = "" },
                }
            );
    }

    public string Piece(string text, string model) =>
        Event(
            "content_block_delta",
            new()
            {
                ["index"] = 0,
                ["delta"] = new JsonObject { ["type"] = "text_delta", ["text"] = text },
            }
        );

    public IEnumerable<string> Closing(UpstreamScript script, string model, bool wantsUsage)
    {
        var index = 0;
        if (script.Pieces.Count > 0)
            yield return Event("content_block_stop", new() { ["index"] = index++ });
        foreach (var tool in script.Tools)
        {
            yield return Event(
                "content_block_start",
                new()
                {
                    ["index"] = index,
                    ["content_block"] = new JsonObject
                    {
                        ["type"] = "tool_use",
                        ["id"] = tool.Id,
                        ["name"] = tool.Name,
                        ["input"] = new JsonObject(),
                    },
                }
            );
            var half = tool.Arguments.Length / 2;
            foreach (var part in (string[])[tool.Arguments[..half], tool.Arguments[half..]])
                yield return Event(
                    "content_block_delta",
                    new()
                    {
                        ["index"] = index,
                        ["delta"] = new JsonObject { ["type"] = "input_json_delta", ["partial_json"] = part },
                    }
                );
            yield return Event("content_block_stop", new() { ["index"] = index++ });
        }

        // Cumulative, and told twice: whoever adds them up counts too much.
        if (script.Use is { Output: > 1 } use)
            yield return Event(
                "message_delta",
                new()
                {
                    ["delta"] = new JsonObject { ["stop_reason"] = null, ["stop_sequence"] = null },
                    ["usage"] = new JsonObject { ["output_tokens"] = use.Output / 2 },
                }
            );
        var last = new JsonObject
        {
            ["delta"] = new JsonObject { ["stop_reason"] = Finish(script.Finish), ["stop_sequence"] = null },
        };
        if (script.Use is not null)
            last["usage"] = new JsonObject { ["output_tokens"] = script.Use.Output };
        yield return Event("message_delta", last);
        yield return Event("message_stop", []);
    }

    public string Error(int status, string code, string message) =>
        new JsonObject
        {
            ["type"] = "error",
            ["error"] = new JsonObject
            {
                ["type"] = status switch
                {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    < 500 => "invalid_request_error",
                    _ => "api_error",
                },
                ["message"] = message,
            },
        }.ToJsonString();

    public string ErrorEvent(string type, string message) =>
        Event(
            "error",
            new()
            {
                ["error"] = new JsonObject { ["type"] = type, ["message"] = message },
            }
        );

    private static JsonObject Head(string model) =>
        new()
        {
            ["id"] = "msg_upstream",
            ["type"] = "message",
            ["role"] = "assistant",
            ["model"] = model,
        };

    private static JsonObject Usage(UpstreamUse use, long output) =>
        new()
        {
            ["input_tokens"] = use.Input,
            ["cache_creation_input_tokens"] = use.CacheWrite + use.CacheWrite1h,
            ["cache_read_input_tokens"] = use.CacheRead,
            ["cache_creation"] = new JsonObject
            {
                ["ephemeral_5m_input_tokens"] = use.CacheWrite,
                ["ephemeral_1h_input_tokens"] = use.CacheWrite1h,
            },
            ["output_tokens"] = output,
        };

    private static string Finish(UpstreamFinish finish) =>
        finish switch
        {
            UpstreamFinish.Done => "end_turn",
            UpstreamFinish.Length => "max_tokens",
            UpstreamFinish.ContentFilter => "refusal",
            UpstreamFinish.Tool => "tool_use",
        };

    private static string Event(string type, JsonObject json)
    {
        json.Insert(0, "type", type);
        return $"event: {type}\ndata: {json.ToJsonString()}\n\n";
    }
}
