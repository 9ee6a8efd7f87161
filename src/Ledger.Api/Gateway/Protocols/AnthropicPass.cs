using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What an object of Anthropic's protocol is.</summary>
internal enum AnthropicKind
{
    /// <summary>Something of which nothing is known.</summary>
    Other,

    /// <summary>A whole answer.</summary>
    Message,

    /// <summary>The event <c>message_start</c>.</summary>
    MessageStart,

    /// <summary>The event <c>message_delta</c>.</summary>
    MessageDelta,

    /// <summary>The event <c>message_stop</c>.</summary>
    MessageStop,

    /// <summary>An error.</summary>
    Error,
}

/// <summary>One pass over an event or an answer of Anthropic's protocol.</summary>
internal ref struct AnthropicPass
{
    private Utf8JsonReader _json;

    private AnthropicPass(ReadOnlySpan<byte> data) => _json = new(data, new JsonReaderOptions { MaxDepth = 2 * JsonSlices.MaxDepth });

    /// <summary>What it is.</summary>
    public AnthropicKind Kind { get; private set; }

    /// <summary>The value of <c>type</c>, without quotes.</summary>
    public Slice Type { get; private set; }

    /// <summary>The value of <c>model</c>, of the message in an event or of the answer.</summary>
    public Slice Model { get; private set; }

    /// <summary>The value of <c>usage</c>, where it is an object.</summary>
    public Slice Usage { get; private set; }

    /// <summary>Whether there is an array of content.</summary>
    public bool HasContent { get; private set; }

    /// <summary>Bytes of text, thoughts and arguments in it.</summary>
    public long Delivered { get; private set; }

    /// <summary>How the answer ends, where it does.</summary>
    public CallOutcome? Outcome { get; private set; }

    /// <summary>Reads it.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static AnthropicPass Of(ReadOnlySpan<byte> data)
    {
        var pass = new AnthropicPass(data);
        pass.Read();
        return pass;
    }

    private void Read()
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.StartObject)
            ReadObject(isTop: true);

        // To the end, so that what is no JSON is told from what is no object.
        while (_json.Read()) { }
    }

    private void ReadObject(bool isTop)
    {
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (_json.ValueTextEquals("type"u8))
            {
                _json.Read();
                if (isTop && _json.TokenType == JsonTokenType.String)
                {
                    Kind = KindOf(ref _json);
                    Type = new((int)_json.TokenStartIndex + 1, (int)_json.BytesConsumed - 1);
                }

                _json.Skip();
            }
            else if (_json.ValueTextEquals("delta"u8) || _json.ValueTextEquals("content_block"u8))
            {
                _json.Read();
                ReadBlock();
            }
            else if (_json.ValueTextEquals("usage"u8))
            {
                _json.Read();
                var isObject = _json.TokenType == JsonTokenType.StartObject;
                var start = (int)_json.TokenStartIndex;
                _json.Skip();
                if (isObject)
                    Usage = new(start, (int)_json.BytesConsumed);
            }
            else if (_json.ValueTextEquals("message"u8) && isTop)
            {
                _json.Read();
                if (_json.TokenType == JsonTokenType.StartObject)
                    ReadObject(isTop: false);
            }
            else if (_json.ValueTextEquals("model"u8))
            {
                _json.Read();
                var start = (int)_json.TokenStartIndex;
                _json.Skip();
                Model = new(start, (int)_json.BytesConsumed);
            }
            else if (_json.ValueTextEquals("stop_reason"u8))
            {
                ReadStop();
            }
            else if (_json.ValueTextEquals("content"u8))
            {
                _json.Read();
                HasContent = _json.TokenType == JsonTokenType.StartArray;
                if (!HasContent)
                    _json.Skip();
                else
                    while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
                        ReadBlock();
            }
            else
            {
                _json.Skip();
            }
        }
    }

    private static AnthropicKind KindOf(ref Utf8JsonReader json) =>
        json.ValueTextEquals("content_block_delta"u8) ? AnthropicKind.Other
        : json.ValueTextEquals("message"u8) ? AnthropicKind.Message
        : json.ValueTextEquals("message_start"u8) ? AnthropicKind.MessageStart
        : json.ValueTextEquals("message_delta"u8) ? AnthropicKind.MessageDelta
        : json.ValueTextEquals("message_stop"u8) ? AnthropicKind.MessageStop
        : json.ValueTextEquals("error"u8) ? AnthropicKind.Error
        : AnthropicKind.Other;

    private void ReadStop()
    {
        _json.Read();

        // An empty one ends nothing.
        if (_json.TokenType == JsonTokenType.String && _json.ValueSpan.Length > 0)
            Outcome = StopReasons.OfAnthropic(ref _json);
        _json.Skip();
    }

    private void ReadBlock()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            _json.Skip();
            return;
        }

        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (_json.ValueTextEquals("stop_reason"u8))
            {
                ReadStop();
            }
            else if (
                _json.ValueTextEquals("text"u8)
                || _json.ValueTextEquals("thinking"u8)
                || _json.ValueTextEquals("partial_json"u8)
                || _json.ValueTextEquals("name"u8)
            )
            {
                _json.Read();
                if (_json.TokenType == JsonTokenType.String)
                    Delivered += JsonSlices.LengthOf(ref _json, out _);
                _json.Skip();
            }
            else if (_json.ValueTextEquals("input"u8))
            {
                _json.Read();
                var start = _json.TokenStartIndex;
                _json.Skip();

                // A stream begins with an empty object, which nobody put out.
                var length = _json.BytesConsumed - start;
                Delivered += length > 2 ? length : 0;
            }
            else
            {
                _json.Skip();
            }
        }
    }
}
