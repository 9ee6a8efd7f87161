using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What is read of a call's body. The rest travels as it came.</summary>
internal sealed class CallRequest
{
    /// <summary>The most messages of one call.</summary>
    public const int MaxMessages = 10_000;

    /// <summary>The longest name of a model or provider.</summary>
    public const int MaxName = 256;

    /// <summary>The most tokens that anybody may ask for.</summary>
    public const long MostTokens = 10_000_000;

    /// <summary>The most answers to one question.</summary>
    public const int MostChoices = 16;

    private ReadOnlyMemory<byte> _body;

    /// <summary>The protocol of the route.</summary>
    public required Protocol Protocol { get; init; }

    /// <summary>The body as it came; empty once it was let go.</summary>
    public required ReadOnlyMemory<byte> Body
    {
        get => _body;
        init => _body = value;
    }

    /// <summary>The model that is asked for: printable ASCII without spaces.</summary>
    public required string Model { get; init; }

    /// <summary>Whether the answer is to be streamed.</summary>
    public required bool IsStream { get; init; }

    /// <summary>The most tokens of the answer; null where it is not said.</summary>
    public required long? MaxTokens { get; init; }

    /// <summary>How many answers are wanted, from 1 to 16.</summary>
    public required int Choices { get; init; }

    /// <summary>Whether a stream is to say what it used: <c>stream_options.include_usage</c>.</summary>
    public required bool WantsUsage { get; init; }

    /// <summary>The provider, which only the pack dialect names.</summary>
    public required string? Provider { get; init; }

    /// <summary>The longest cache write that is asked for.</summary>
    public required CacheWrites CacheWrites { get; init; }

    /// <summary>The input in tokens, counted so high that the truth is seldom above it: what is held.</summary>
    public required long CountedInput { get; init; }

    /// <summary>The input in tokens, about: what <c>count_tokens</c> answers, and what is charged where the provider reports nothing.</summary>
    public required long HeuristicInput { get; init; }

    /// <summary>
    /// What changes the price or the model that serves, and has no price in the rate card: names of members, and types of tools that the provider runs.
    /// </summary>
    public required IReadOnlyList<string> Unpriced { get; init; }

    /// <summary>Where in the body the members stand that are not sent on as they came.</summary>
    public required BodyPlaces Places { get; init; }

    /// <summary>Lets the body go: an answer has begun, so that nobody is asked again, and a stream may take longer than anything else of its call.</summary>
    public void LetGo() => _body = default;

    /// <summary>Reads a body, at most 10 MiB.</summary>
    /// <param name="protocol">The protocol of the route.</param>
    /// <param name="body">The body; it is kept, not copied.</param>
    /// <param name="fault">What is wrong with it, where null is answered.</param>
    /// <param name="isCount">Whether only its tokens are to be counted: then nobody has to say how long the answer may be.</param>
    public static CallRequest? Read(Protocol protocol, ReadOnlyMemory<byte> body, out CallFault? fault, bool isCount = false)
    {
        if (body.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            fault = new("The body is empty; a JSON object was expected.");
            return null;
        }

        if (!Utf8.IsValid(body.Span))
        {
            fault = new("The body is not valid UTF-8.");
            return null;
        }

        var reading = new CallReading(protocol, body);
        try
        {
            var request = reading.Read(isCount);
            fault = reading.Fault;
            return request;
        }
        catch (JsonException)
        {
            fault = new(
                string.Create(CultureInfo.InvariantCulture, $"The body is not valid JSON, or is nested deeper than {JsonSlices.MaxDepth}.")
            );
            return null;
        }
        catch (InvalidOperationException)
        {
            // The reader compares no text that is none.
            fault = new("A text holds half of a surrogate pair.");
            return null;
        }
    }
}

/// <summary>Where in a body the members stand that are not sent on as they came.</summary>
internal struct BodyPlaces
{
    /// <summary>The value of <c>model</c>.</summary>
    public Slice Model;

    /// <summary>The value of <c>max_tokens</c>.</summary>
    public Slice MaxTokens;

    /// <summary>The value of <c>max_completion_tokens</c>.</summary>
    public Slice MaxCompletionTokens;

    /// <summary>The value of <c>stream_options</c>.</summary>
    public Slice StreamOptions;

    /// <summary>The value of <c>stream_options.include_usage</c>.</summary>
    public Slice IncludeUsage;

    /// <summary>Whether <c>stream_options</c> is an object with members.</summary>
    public bool HasStreamOptions;

    /// <summary>The value of <c>system</c>.</summary>
    public Slice System;

    /// <summary>Whether <c>system</c> is an array with items.</summary>
    public bool HasSystemBlocks;

    /// <summary>The value of <c>messages</c>.</summary>
    public Slice Messages;

    /// <summary>What is cut out: <c>provider</c>, with the comma that goes with it.</summary>
    public Slice Provider;

    /// <summary>Behind the body's opening brace.</summary>
    public int Open;
}
