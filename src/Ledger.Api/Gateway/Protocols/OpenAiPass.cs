using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>One pass over a chunk or an answer of OpenAI's protocol.</summary>
internal ref struct OpenAiPass
{
    private Utf8JsonReader _json;

    private OpenAiPass(ReadOnlySpan<byte> data) => _json = new(data, new JsonReaderOptions { MaxDepth = 2 * JsonSlices.MaxDepth });

    /// <summary>Behind the opening brace; 0 where it is no object.</summary>
    public int Open { get; private set; }

    /// <summary>The value of <c>model</c>.</summary>
    public Slice Model { get; private set; }

    /// <summary>The value of <c>id</c>, where it is a text.</summary>
    public Slice Id { get; private set; }

    /// <summary>The value of <c>usage</c>, where it is an object.</summary>
    public Slice Usage { get; private set; }

    /// <summary>The whole member <c>usage</c>, null or not, with the comma that goes with it.</summary>
    public Slice UsageMember { get; private set; }

    /// <summary>The value of <c>error</c>, where it is not null.</summary>
    public Slice Error { get; private set; }

    /// <summary>The first choice's text, quotes included; not where it is empty.</summary>
    public Slice Content { get; private set; }

    /// <summary>Whether there are choices at all, if only none.</summary>
    public bool HasChoices { get; private set; }

    /// <summary>How many choices it speaks of.</summary>
    public int Choices { get; private set; }

    /// <summary>Bytes of text, thoughts and arguments in it.</summary>
    public long Delivered { get; private set; }

    /// <summary>Which choices end with it, a bit for each.</summary>
    public uint Finished { get; private set; }

    /// <summary>How the first choice ends, where it does.</summary>
    public CallOutcome? Outcome { get; private set; }

    /// <summary>Reads it.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static OpenAiPass Of(ReadOnlySpan<byte> data)
    {
        var pass = new OpenAiPass(data);
        pass.Read();
        return pass;
    }

    private void Read()
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            // To the end, so that what is no JSON is told from what is no object.
            while (_json.Read()) { }
            return;
        }

        Open = (int)_json.BytesConsumed;
        var end = 0;
        var usage = -1;
        var beforeUsage = 0;
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var name = (int)_json.TokenStartIndex;
            if (usage >= 0 && !UsageMember.Exists)
                UsageMember = new(usage, name);
            if (_json.ValueTextEquals("choices"u8))
            {
                _json.Read();
                ReadChoices();
            }
            else if (_json.ValueTextEquals("model"u8))
            {
                Model = Value();
            }
            else if (_json.ValueTextEquals("id"u8))
            {
                var id = Value();
                if (_json.TokenType == JsonTokenType.String)
                    Id = id;
            }
            else if (_json.ValueTextEquals("usage"u8))
            {
                _json.Read();
                var isObject = _json.TokenType == JsonTokenType.StartObject;
                var start = (int)_json.TokenStartIndex;
                _json.Skip();
                if (isObject)
                    Usage = new(start, (int)_json.BytesConsumed);
                (usage, beforeUsage) = (name, end);
            }
            else if (_json.ValueTextEquals("error"u8))
            {
                var error = Value();
                if (_json.TokenType != JsonTokenType.Null)
                    Error = error;
            }
            else
            {
                _json.Skip();
            }

            end = (int)_json.BytesConsumed;
        }

        if (usage >= 0 && !UsageMember.Exists)
            UsageMember = new(beforeUsage == 0 ? usage : beforeUsage, end);
        _json.Read();
    }

    private Slice Value()
    {
        _json.Read();
        var start = (int)_json.TokenStartIndex;
        _json.Skip();
        return new(start, (int)_json.BytesConsumed);
    }

    private void ReadChoices()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            _json.Skip();
            return;
        }

        HasChoices = true;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            Choices++;
            if (_json.TokenType == JsonTokenType.StartObject)
                ReadChoice();
            else
                _json.Skip();
        }
    }

    private void ReadChoice()
    {
        var index = 0L;
        var isFinished = false;
        var outcome = CallOutcome.Completed;
        Slice content = default;
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (_json.ValueTextEquals("delta"u8) || _json.ValueTextEquals("message"u8))
            {
                _json.Read();
                content = ReadMessage();
            }
            else if (_json.ValueTextEquals("index"u8))
            {
                _json.Read();
                index = JsonSlices.Whole(ref _json) ?? 0;
                _json.Skip();
            }
            else if (_json.ValueTextEquals("finish_reason"u8))
            {
                _json.Read();

                // Some providers send an empty one with every chunk: nothing has ended then.
                if (_json.TokenType == JsonTokenType.String && _json.ValueSpan.Length > 0)
                {
                    isFinished = true;
                    outcome = StopReasons.OfOpenAi(ref _json);
                }

                _json.Skip();
            }
            else
            {
                _json.Skip();
            }
        }

        if (isFinished)
            Finished |= 1u << (int)Math.Min(index, 31);
        if (index != 0)
            return;
        if (content.Exists)
            Content = content;
        if (isFinished)
            Outcome = outcome;
    }

    private Slice ReadMessage()
    {
        Slice content = default;
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            _json.Skip();
            return content;
        }

        var thoughts = 0L;
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (_json.ValueTextEquals("content"u8))
            {
                _json.Read();
                if (_json.TokenType == JsonTokenType.String && _json.ValueSpan.Length > 0)
                    content = new((int)_json.TokenStartIndex, (int)_json.BytesConsumed);
                Delivered += Texts();
            }
            else if (_json.ValueTextEquals("reasoning_content"u8) || _json.ValueTextEquals("reasoning"u8))
            {
                // Two names of the same thing; some providers give both.
                _json.Read();
                thoughts = Math.Max(thoughts, Texts());
            }
            else if (_json.ValueTextEquals("refusal"u8))
            {
                _json.Read();
                Delivered += Texts();
            }
            else if (_json.ValueTextEquals("tool_calls"u8) || _json.ValueTextEquals("function_call"u8))
            {
                _json.Read();
                Delivered += Calls();
            }
            else
            {
                _json.Skip();
            }
        }

        Delivered += thoughts;
        return content;
    }

    /// <summary>The length of a text, or of those in parts.</summary>
    private long Texts()
    {
        if (_json.TokenType == JsonTokenType.String)
            return JsonSlices.LengthOf(ref _json, out _);
        return Named(inCalls: false);
    }

    /// <summary>The length of what tools are called by and with.</summary>
    private long Calls() => Named(inCalls: true);

    /// <summary>The length of the texts in parts, or of names and arguments in calls.</summary>
    private long Named(bool inCalls)
    {
        var bytes = 0L;
        if (_json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            return bytes;
        var depth = _json.CurrentDepth;
        while (_json.Read() && !(_json.CurrentDepth == depth && _json.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray))
        {
            if (_json.TokenType != JsonTokenType.PropertyName)
                continue;
            var isNamed = inCalls
                ? _json.ValueTextEquals("name"u8) || _json.ValueTextEquals("arguments"u8) || _json.ValueTextEquals("input"u8)
                : _json.ValueTextEquals("text"u8);
            if (!isNamed)
                continue;
            _json.Read();
            if (_json.TokenType == JsonTokenType.String)
                bytes += JsonSlices.LengthOf(ref _json, out _);
        }

        return bytes;
    }
}
