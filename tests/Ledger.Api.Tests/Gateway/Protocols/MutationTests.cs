using System.Buffers;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>Whatever comes, from callers or providers, is read or refused; nothing breaks.</summary>
public sealed class MutationTests
{
    private const int Rounds = 600;

    private static readonly string[] Pieces =
    [
        "null",
        "1",
        "-1",
        "\"\"",
        "\"x\"",
        "{}",
        "[]",
        "true",
        "\\ud83d",
        "\\u0000",
        "\"type\":\"text\"",
        "\"text\":1,",
        "{\"type\":\"image\"},",
        "\"content\":[],",
        "99999999999999999999",
        "]",
        "}",
        ",",
    ];

    private static readonly (Protocol Protocol, string Body)[] Calls =
    [
        (
            Protocol.OpenAi,
            """{"provider":"p","model":"m","stream":true,"stream_options":{"a":1},"max_tokens":5,"stop":["a"],"temperature":1,"tools":[{"type":"function","function":{"name":"t","parameters":{}}}],"tool_choice":"auto","messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"y"}]}"""
        ),
        (
            Protocol.Anthropic,
            """{"model":"m","max_tokens":9,"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],"tools":[{"name":"t","input_schema":{}}],"tool_choice":{"type":"auto"},"thinking":{"type":"enabled","budget_tokens":5},"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{"x":[1]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"y"}]},{"type":"document","source":{"type":"text","data":"d"}}]}]}"""
        ),
    ];

    private static readonly (Protocol Protocol, string Stream)[] Streams =
    [
        (
            Protocol.OpenAi,
            Wire.OpenAiEvents(
                """{"id":"c","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}],"usage":null}""",
                """{"id":"c","model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"stop"}]}""",
                """{"id":"c","model":"up","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}""",
                "[DONE]"
            )
        ),
        (
            Protocol.Anthropic,
            Wire.AnthropicEvents(
                """{"type":"message_start","message":{"id":"m","model":"up","content":[],"usage":{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":1}}}}""",
                """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}""",
                """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}""",
                """{"type":"content_block_stop","index":0}""",
                """{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}""",
                """{"type":"message_stop"}"""
            )
        ),
    ];

    private static readonly (Protocol Protocol, string Answer)[] Answers =
    [
        (
            Protocol.OpenAi,
            """{"id":"c","model":"up","choices":[{"index":0,"message":{"content":"x","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"""
        ),
        (
            Protocol.Anthropic,
            """{"id":"m","type":"message","model":"up","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"a","name":"f","input":{"x":1}}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"""
        ),
    ];

    [Fact]
    public void A_spoilt_call_is_refused_or_becomes_a_body_that_is_JSON()
    {
        var random = new Random(7);
        var (taken, refused) = (0, 0);
        foreach (var (protocol, body) in Calls)
        {
            for (var round = 0; round < 5 * Rounds; round++)
            {
                var spoilt = Spoil(body, random);
                if (CallRequest.Read(protocol, Wire.Bytes(spoilt), out var fault) is not { } request)
                {
                    fault.ShouldNotBeNull(spoilt);
                    refused++;
                    continue;
                }

                fault.ShouldBeNull();
                taken++;
                foreach (var upstream in Enum.GetValues<Protocol>())
                {
                    if (UpstreamBody.Write(request, upstream, new("up", 5, "Preset"), out fault) is { } written)
                        Should.NotThrow(() => JsonDocument.Parse(written, JsonSlices.Document).Dispose(), spoilt);
                    else
                        fault.ShouldNotBeNull(spoilt);
                }
            }
        }

        taken.ShouldBeGreaterThan(100);
        refused.ShouldBeGreaterThan(100);
    }

    [Fact]
    public void A_spoilt_stream_fails_or_comes_down_as_events_of_the_protocol()
    {
        var random = new Random(7);
        var (failed, done) = (0, 0);
        foreach (var (upstream, stream) in Streams)
        {
            foreach (var (caller, body) in Calls)
            {
                var request = Wire.Read(caller, body);
                for (var round = 0; round < Rounds; round++)
                {
                    var spoilt = Spoil(stream, random);
                    var down = Wire.Stream(request, upstream, spoilt);
                    var tokens = down.Relay.Report.Tokens;
                    new[] { tokens.Input, tokens.CacheRead, tokens.CacheWrite, tokens.CacheWrite1h, tokens.Output }.ShouldAllBe(
                        one => one >= 0 && one <= 100_000_000,
                        spoilt
                    );
                    failed += down.Relay.IsFailed ? 1 : 0;
                    done += down.Relay.IsDone ? 1 : 0;
                    using var events = new ServerSentEvents();
                    events.Feed(Wire.Bytes(down.Text));
                    while (events.TryRead(out var e))
                    {
                        if (!e.IsComment && !e.Data.SequenceEqual("[DONE]"u8))
                            JsonDocument.Parse(e.Data.ToArray(), JsonSlices.Document).Dispose();
                    }
                }
            }
        }

        failed.ShouldBeGreaterThan(100);
        done.ShouldBeGreaterThan(100);
    }

    [Fact]
    public void A_spoilt_answer_is_a_failure_or_comes_down_as_JSON()
    {
        var random = new Random(7);
        var (read, failed) = (0, 0);
        foreach (var (upstream, answer) in Answers)
        {
            foreach (var (caller, body) in Calls)
            {
                var request = Wire.Read(caller, body);
                for (var round = 0; round < Rounds; round++)
                {
                    var spoilt = Wire.Bytes(Spoil(answer, random));
                    UpstreamErrors.MessageOf(spoilt).ShouldNotBeEmpty();
                    try
                    {
                        var down = AnswerRelay.Read(request, upstream, spoilt, out _);
                        JsonDocument.Parse(down, JsonSlices.Document).Dispose();
                        if (caller == Protocol.OpenAi)
                            AnswerRelay.FirstOf(down).Text.ShouldNotBeNull();
                        read++;
                    }
                    catch (InvalidDataException)
                    {
                        failed++;
                    }
                }
            }
        }

        read.ShouldBeGreaterThan(100);
        failed.ShouldBeGreaterThan(100);
    }

    [Fact]
    public void The_relay_of_a_chunk_keeps_its_allocations_small()
    {
        var relay = StreamRelay.Of(Wire.OpenAi(Wire.OpenAiCall), Protocol.OpenAi);
        var down = new ArrayBufferWriter<byte>(1 << 20);
        var chunk = Wire.Bytes(
            """{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}],"usage":null}"""
        );
        for (var i = 0; i < 10; i++)
            relay.Take(new ServerSentEvent { Data = chunk }, down);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
            relay.Take(new ServerSentEvent { Data = chunk }, down);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(1_000);
    }

    /// <summary>One to three changes: something cut out, doubled, exchanged or put in, at a place between two tokens where that makes more sense.</summary>
    private static string Spoil(string text, Random random)
    {
        for (var changes = random.Next(1, 3); changes > 0; changes--)
        {
            var at = random.Next(text.Length);
            if (random.Next(4) > 0 && text.IndexOfAny([':', ',', '[', '{'], at) is >= 0 and var token)
                at = token + 1;
            var end = Math.Min(text.Length, at + random.Next(1, 20));
            if (random.Next(2) == 0 && at < text.Length && text.IndexOfAny([',', ']', '}'], at) is >= 0 and var stop)
                end = stop;
            text = random.Next(4) switch
            {
                0 => text[..at] + text[end..],
                1 => text[..at] + Pieces[random.Next(Pieces.Length)] + text[end..],
                2 => text[..end] + text[at..],
                _ => text[..at] + Pieces[random.Next(Pieces.Length)] + text[at..],
            };
        }

        return text;
    }
}
