using System.Globalization;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>One pass over the body of a call.</summary>
internal ref partial struct CallReading
{
    private readonly Protocol _protocol;
    private readonly ReadOnlyMemory<byte> _body;
    private Utf8JsonReader _json;
    private BodyPlaces _places;
    private Known _seen;
    private string? _model;
    private string? _provider;
    private bool _isStream;
    private bool _wantsUsage;
    private long? _maxTokens;
    private long? _maxCompletionTokens;
    private int _choices;
    private CacheWrites _caching;

    // Bytes of text: read by the model, and perhaps read by it.
    private long _bytes;
    private long _moreBytes;

    // Tokens of what is no text.
    private long _held;
    private long _likely;
    private int _messages;
    private int _part;
    private bool _inMessages;
    private bool _hasTools;

    // Whether the model will read what cannot be counted here.
    private bool _isUncountable;
    private List<string>? _unpriced;

    public CallReading(Protocol protocol, ReadOnlyMemory<byte> body)
    {
        _protocol = protocol;
        _body = body;
        _json = new(body.Span, JsonSlices.Reader);
        _choices = 1;
        _part = -1;
    }

    /// <summary>What is wrong with the body.</summary>
    public CallFault? Fault { get; private set; }

    /// <summary>The members that may stand only once, as two readers might take two different ones.</summary>
    [Flags]
    private enum Known
    {
        None = 0,
        Model = 1,
        Messages = 1 << 1,
        System = 1 << 2,
        Stream = 1 << 3,
        StreamOptions = 1 << 4,
        MaxTokens = 1 << 5,
        MaxCompletionTokens = 1 << 6,
        Choices = 1 << 7,
        Provider = 1 << 8,
        Tools = 1 << 9,
        ToolChoice = 1 << 10,
        Functions = 1 << 11,
        Format = 1 << 12,
        CacheControl = 1 << 13,
    }

    private enum PartKind
    {
        Other,
        Text,
        Image,
        Document,
        Sound,
        Uncountable,
    }

    public CallRequest? Read(bool isCount)
    {
        if (!_json.Read() || _json.TokenType != JsonTokenType.StartObject)
        {
            Refuse("The body must be a JSON object.", null);
            return null;
        }

        _places.Open = (int)_json.BytesConsumed;
        var end = 0;
        var providerAt = new Slice();
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var name = (int)_json.TokenStartIndex;
            if (providerAt.Exists && !_places.Provider.Exists)
                _places.Provider = new(providerAt.Start, name);

            if (!IsWhole())
                return null;
            var member = NameOf(ref _json, _protocol);
            if (!Mark(member) || !IsPlain(member, out var unpriced))
                return null;
            _json.Read();
            if (unpriced is not null)
                Price(unpriced, _json);
            var value = (int)_json.TokenStartIndex;
            if (!Take(member))
                return null;
            var before = end;
            end = (int)_json.BytesConsumed;
            if (member == Known.Provider)
                providerAt = new(name, before == 0 ? name : before);
            Keep(member, new(value, end));
        }

        // The last member takes the comma before it along.
        if (providerAt.Exists && !_places.Provider.Exists)
            _places.Provider = new(providerAt.End, end);

        // Nothing but white space may follow; the reader says so.
        _json.Read();
        return Check(isCount) ? Request() : null;
    }

    private readonly CallRequest Request()
    {
        return new()
        {
            Protocol = _protocol,
            Body = _body,
            Model = _model!,
            IsStream = _isStream,
            MaxTokens = _maxCompletionTokens ?? _maxTokens,
            Choices = _choices,
            WantsUsage = _wantsUsage,
            Provider = _provider,
            CacheWrites = _caching,
            CountedInput =
                TokenCount.Held(_bytes + _moreBytes)
                + _held
                + ((_messages + 1) * TokenCount.MessageHeld)
                + (_hasTools ? TokenCount.ToolsHeld : 0)
                + (_isUncountable ? TokenCount.Uncountable : 0),
            HeuristicInput =
                TokenCount.Likely(_bytes) + _likely + (_messages * TokenCount.MessageLikely) + (_hasTools ? TokenCount.ToolsLikely : 0),
            Unpriced = _unpriced ?? [],
            Places = _places,
        };
    }

    private bool Check(bool isCount)
    {
        if (_model is null)
            return Refuse("model is required.", "model");
        if (!_places.Messages.Exists)
            return Refuse("messages is required.", "messages");
        if (_protocol == Protocol.Anthropic && _maxTokens is null && !isCount)
            return Refuse("max_tokens is required.", "max_tokens");
        return true;
    }

    private static Known NameOf(ref Utf8JsonReader json, Protocol protocol)
    {
        if (json.ValueTextEquals("model"u8))
            return Known.Model;
        if (json.ValueTextEquals("messages"u8))
            return Known.Messages;
        if (json.ValueTextEquals("max_tokens"u8))
            return Known.MaxTokens;
        if (json.ValueTextEquals("stream"u8))
            return Known.Stream;
        if (json.ValueTextEquals("tools"u8))
            return Known.Tools;
        if (json.ValueTextEquals("tool_choice"u8))
            return Known.ToolChoice;
        return protocol == Protocol.OpenAi ? OpenAiNameOf(ref json) : AnthropicNameOf(ref json);
    }

    private static Known OpenAiNameOf(ref Utf8JsonReader json)
    {
        if (json.ValueTextEquals("max_completion_tokens"u8))
            return Known.MaxCompletionTokens;
        if (json.ValueTextEquals("stream_options"u8))
            return Known.StreamOptions;
        if (json.ValueTextEquals("provider"u8))
            return Known.Provider;
        if (json.ValueTextEquals("n"u8))
            return Known.Choices;
        if (json.ValueTextEquals("functions"u8))
            return Known.Functions;
        return json.ValueTextEquals("response_format"u8) ? Known.Format : Known.None;
    }

    private static Known AnthropicNameOf(ref Utf8JsonReader json)
    {
        if (json.ValueTextEquals("system"u8))
            return Known.System;
        if (json.ValueTextEquals("output_config"u8))
            return Known.Format;
        return json.ValueTextEquals("cache_control"u8) ? Known.CacheControl : Known.None;
    }

    private bool Mark(Known member)
    {
        if ((_seen & member) != 0)
            return Refuse(_json.GetString() + " must stand only once.", _json.GetString());
        _seen |= member;
        return true;
    }

    private void Keep(Known member, Slice at)
    {
        switch (member)
        {
            case Known.Model:
                _places.Model = at;
                break;
            case Known.MaxTokens:
                _places.MaxTokens = at;
                break;
            case Known.MaxCompletionTokens:
                _places.MaxCompletionTokens = at;
                break;
            case Known.StreamOptions:
                _places.StreamOptions = at;
                break;
            case Known.System:
                _places.System = at;
                break;
            case Known.Messages:
                _places.Messages = at;
                break;
            default:
                break;
        }
    }

    private bool Take(Known member) =>
        member switch
        {
            Known.Model => Name("model", required: true, ref _model),
            Known.Provider => Name("provider", required: false, ref _provider),
            Known.Messages => Messages(),
            Known.System => SystemText(),
            Known.Stream => Flag("stream", ref _isStream),
            Known.StreamOptions => StreamOptions(),
            Known.MaxTokens => Tokens("max_tokens", ref _maxTokens),
            Known.MaxCompletionTokens => Tokens("max_completion_tokens", ref _maxCompletionTokens),
            Known.Choices => Choices(),
            Known.Tools => Tools("tools"),
            Known.Functions => Tools("functions"),
            Known.ToolChoice or Known.Format => Count(ref _bytes),
            Known.CacheControl => CacheControl(),
            Known.None => Count(ref _moreBytes),
            _ => Count(ref _moreBytes),
        };

    private bool Name(string member, bool required, ref string? name)
    {
        if (_json.TokenType == JsonTokenType.Null && !required)
            return true;
        if (_json.TokenType == JsonTokenType.String && _json.ValueSpan.Length <= MostEscaped && IsWhole())
        {
            var text = _json.GetString()!;

            // It goes into headers, logs and addresses: nothing that could end a line or a word.
            if (text.Length is > 0 and <= CallRequest.MaxName && !text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            {
                name = text;
                return true;
            }
        }

        Fault = new(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{member} must be a text of 1 to {CallRequest.MaxName} printable ASCII characters, without spaces."
            ),
            member
        );
        return false;
    }

    // A character is at most six bytes of JSON.
    private const int MostEscaped = 6 * CallRequest.MaxName;

    private bool Flag(string member, ref bool flag)
    {
        if (_json.TokenType is not (JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null))
            return Refuse(member + " must be true or false.", member);
        flag = _json.TokenType == JsonTokenType.True;
        return true;
    }

    private bool Tokens(string member, ref long? tokens)
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;
        tokens = JsonSlices.Whole(ref _json);
        return tokens is >= 1 and <= CallRequest.MostTokens
            || Refuse(
                string.Create(CultureInfo.InvariantCulture, $"{member} must be a whole number from 1 to {CallRequest.MostTokens}."),
                member
            );
    }

    private bool Choices()
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;
        if (JsonSlices.Whole(ref _json) is not (>= 1 and <= CallRequest.MostChoices) || !_json.TryGetInt32(out _choices))
            return Refuse(
                string.Create(CultureInfo.InvariantCulture, $"n must be a whole number from 1 to {CallRequest.MostChoices}."),
                "n"
            );
        return true;
    }

    private bool StreamOptions()
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;
        if (_json.TokenType != JsonTokenType.StartObject)
            return Refuse("stream_options must be an object.", "stream_options");
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            _places.HasStreamOptions = true;
            var isUsage = _json.ValueTextEquals("include_usage"u8);
            if (!IsWhole() || !(isUsage || IsPlainOption()))
                return false;
            _json.Read();
            if (!isUsage)
            {
                if (!Count(ref _moreBytes))
                    return false;
                continue;
            }

            if (_places.IncludeUsage.Exists)
                return Refuse("stream_options.include_usage must stand only once.", "stream_options.include_usage");
            if (!Flag("stream_options.include_usage", ref _wantsUsage))
                return false;
            _places.IncludeUsage = new((int)_json.TokenStartIndex, (int)_json.BytesConsumed);
        }

        return true;
    }

    private bool Tools(string member)
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;

        if (_json.TokenType != JsonTokenType.StartArray)
            return Refuse(member + " must be an array.", member);
        var count = 0;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.StartObject)
                return Refuse(
                    string.Create(CultureInfo.InvariantCulture, $"{member}[{count}] must be an object."),
                    string.Create(CultureInfo.InvariantCulture, $"{member}[{count}]")
                );
            if (member == "tools" && TypeOfService(_json, _protocol) is { } service)
                AddUnpriced(service, isUncountable: true);
            if (!Count(ref _bytes))
                return false;
            count++;
        }

        _hasTools |= count > 0;
        _held += count * TokenCount.MessageHeld;
        _likely += count * TokenCount.MessageLikely;
        return true;
    }

    private bool SystemText()
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;
        if (_json.TokenType == JsonTokenType.String)
            return Text(ref _bytes);
        if (_json.TokenType != JsonTokenType.StartArray)
            return Refuse("system must be a text or an array of text blocks.", "system");
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            _part++;
            _places.HasSystemBlocks = true;
            if (!Part(out var kind))
                return false;
            if (kind != PartKind.Text)
                return Refuse("system takes text blocks only.", Path("", ".type"));
        }

        _part = -1;
        return true;
    }

    private bool Messages()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
            return Refuse("messages must be an array.", "messages");
        _inMessages = true;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_messages == CallRequest.MaxMessages)
                return Refuse(
                    string.Create(CultureInfo.InvariantCulture, $"messages takes at most {CallRequest.MaxMessages} messages."),
                    "messages"
                );
            if (!Message())
                return false;
            _messages++;
        }

        _inMessages = false;
        return _messages > 0 || Refuse("messages must not be empty.", "messages");
    }

    private bool Message()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
            return Refuse("A message must be an object.", Path("", ""));
        var (hasRole, hasContent) = (false, false);
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (!IsWhole())
                return false;
            if (_json.ValueTextEquals("role"u8))
            {
                _json.Read();
                if (hasRole || !IsRole())
                    return Refuse(
                        _protocol == Protocol.OpenAi
                            ? "role must be system, developer, user, assistant, tool or function."
                            : "role must be user, assistant or system.",
                        Path("", ".role")
                    );
                hasRole = true;
            }
            else if (_json.ValueTextEquals("content"u8))
            {
                _json.Read();
                if (hasContent)
                    return Refuse("content must stand only once.", Path("", ".content"));
                hasContent = true;
                if (!Content())
                    return false;
            }
            else
            {
                _json.Read();
                if (!Count(ref _bytes))
                    return false;
            }
        }

        if (!hasRole)
            return Refuse("role is required.", Path("", ".role"));

        // OpenAI's assistants that call tools say nothing.
        return hasContent || _protocol == Protocol.OpenAi || Refuse("content is required.", Path("", ".content"));
    }

    private bool IsRole()
    {
        if (_json.TokenType != JsonTokenType.String)
            return false;
        if (_json.ValueTextEquals("user"u8) || _json.ValueTextEquals("assistant"u8) || _json.ValueTextEquals("system"u8))
            return true;
        return _protocol == Protocol.OpenAi
            && (_json.ValueTextEquals("tool"u8) || _json.ValueTextEquals("developer"u8) || _json.ValueTextEquals("function"u8));
    }

    private bool Content()
    {
        switch (_json.TokenType)
        {
            case JsonTokenType.String:
                return Text(ref _bytes);
            case JsonTokenType.Null when _protocol == Protocol.OpenAi:
                return true;
            case JsonTokenType.StartArray:
                _part = -1;
                while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
                {
                    _part++;
                    if (!Part(out _))
                        return false;
                }

                _part = -1;
                return true;
            default:
                return Refuse("content must be a text or an array of parts.", Path("", ".content"));
        }
    }

    /// <summary>A part of a message, a block of a system prompt, or a part within one.</summary>
    private bool Part(out PartKind kind)
    {
        kind = PartKind.Other;
        if (_json.TokenType != JsonTokenType.StartObject)
            return Refuse("A part must be an object.", Path(".content", ""));
        var hasType = false;
        var isTextAText = false;
        var media = new Media();
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (!IsWhole())
                return false;
            if (_json.ValueTextEquals("type"u8))
            {
                _json.Read();
                if (_json.TokenType != JsonTokenType.String || hasType)
                    return Refuse("type must be a text, and stand once.", Path(".content", ".type"));
                hasType = true;
                kind = KindOf(ref _json);
                if (!IsWhole())
                    return false;
            }
            else if (_json.ValueTextEquals("text"u8))
            {
                _json.Read();
                isTextAText = _json.TokenType == JsonTokenType.String;
                if (!Count(ref _bytes))
                    return false;
            }
            else if (IsMedia(ref _json))
            {
                _json.Read();
                if (!MediaOf(ref media))
                    return false;
            }
            else if (_json.ValueTextEquals("content"u8))
            {
                _json.Read();
                if (!Inner())
                    return false;
            }
            else if (_json.ValueTextEquals("signature"u8))
            {
                // What a provider signed its thoughts with; it reads them, not this.
                _json.Read();
                if (!Count(ref _moreBytes))
                    return false;
            }
            else if (IsCacheControl())
            {
                _json.Read();
                if (!CacheControl())
                    return false;
            }
            else
            {
                _json.Read();
                if (!Count(ref _bytes))
                    return false;
            }
        }

        if (!hasType)
            return Refuse("type is required.", Path(".content", ".type"));
        if (kind == PartKind.Text && !isTextAText)
            return Refuse("text must be a text.", Path(".content", ".text"));
        return Add(kind, media);
    }

    private static PartKind KindOf(ref Utf8JsonReader json)
    {
        if (json.ValueTextEquals("text"u8))
            return PartKind.Text;
        if (json.ValueTextEquals("image"u8) || json.ValueTextEquals("image_url"u8))
            return PartKind.Image;
        if (json.ValueTextEquals("document"u8) || json.ValueTextEquals("file"u8))
            return PartKind.Document;
        if (json.ValueTextEquals("input_audio"u8))
            return PartKind.Sound;
        return
            json.ValueTextEquals("video_url"u8)
            || json.ValueTextEquals("video"u8)
            || json.ValueTextEquals("input_video"u8)
            || json.ValueTextEquals("input_file"u8)
            || json.ValueTextEquals("container_upload"u8)
            ? PartKind.Uncountable
            : PartKind.Other;
    }

    private static bool IsMedia(ref Utf8JsonReader json) =>
        json.ValueTextEquals("source"u8)
        || json.ValueTextEquals("image_url"u8)
        || json.ValueTextEquals("input_audio"u8)
        || json.ValueTextEquals("file"u8);

    /// <summary>What stands where a picture, a document or a recording is expected.</summary>
    private struct Media
    {
        public long Bytes;
        public bool IsThere;
        public bool IsText;
        public bool IsForbidden;
        public bool IsNoUrl;
    }

    private bool MediaOf(ref Media media)
    {
        media.IsThere = true;
        if (_json.TokenType == JsonTokenType.String)
            return Url(ref media);
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            media.IsNoUrl = true;
            return Count(ref _bytes);
        }

        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            if (!IsWhole())
                return false;
            if (_json.ValueTextEquals("url"u8))
            {
                _json.Read();
                if (!Url(ref media))
                    return false;
            }
            else if (_json.ValueTextEquals("data"u8) || _json.ValueTextEquals("file_data"u8))
            {
                _json.Read();
                if (_json.TokenType != JsonTokenType.String)
                    media.IsNoUrl = true;
                else
                    media.Bytes += _json.ValueSpan.Length;
                var nothing = 0L;
                if (!Count(ref nothing))
                    return false;
            }
            else if (_json.ValueTextEquals("type"u8))
            {
                _json.Read();
                media.IsText =
                    _protocol == Protocol.Anthropic
                    && _json.TokenType == JsonTokenType.String
                    && (_json.ValueTextEquals("text"u8) || _json.ValueTextEquals("content"u8));
                if (!Count(ref _moreBytes))
                    return false;
            }
            else if (_json.ValueTextEquals("content"u8))
            {
                _json.Read();
                if (!Inner())
                    return false;
            }
            else
            {
                _json.Read();
                if (!Count(ref _moreBytes))
                    return false;
            }
        }

        return true;
    }

    private bool Url(ref Media media)
    {
        if (_json.TokenType != JsonTokenType.String)
        {
            media.IsNoUrl = true;
            return Count(ref _moreBytes);
        }

        if (!IsWhole())
            return false;

        // Some encoders write https:\/\/.
        var url =
            _json.ValueIsEscaped && _json.ValueSpan.Length < 10_000
                ? System.Text.Encoding.UTF8.GetBytes(_json.GetString()!)
                : _json.ValueSpan;
        if (Starts(url, "data:"u8))
            media.Bytes += _json.ValueSpan.Length;
        else if (!Starts(url, "https://"u8) && !Starts(url, "http://"u8))
            media.IsForbidden = true;
        else
            _moreBytes += url.Length;
        return true;
    }

    private static bool Starts(ReadOnlySpan<byte> url, ReadOnlySpan<byte> with) =>
        url.Length > with.Length && System.Text.Ascii.EqualsIgnoreCase(url[..with.Length], with);

    private bool Add(PartKind kind, in Media media)
    {
        if (kind is PartKind.Image or PartKind.Document or PartKind.Sound)
        {
            if (!media.IsThere || media.IsNoUrl)
                return Refuse("A picture, document or recording needs its source, which is a text.", Path(".content", ""));
            if (media.IsForbidden)
                return Refuse("Only https, http and data URLs are taken.", Path(".content", ""));
        }

        // Three bytes in four characters of Base64.
        var size = media.Bytes / 4 * 3;
        switch (kind)
        {
            case PartKind.Image:
                _held += TokenCount.ImageHeld;
                _likely += TokenCount.ImageLikely;
                break;
            case PartKind.Document when media.IsText:
                _bytes += media.Bytes;
                break;
            case PartKind.Document when size == 0:
                _isUncountable = true;
                _likely += TokenCount.NamedDocumentLikely;
                break;
            case PartKind.Document:
                _isUncountable = true;
                _likely += TokenCount.DocumentLikely(size);
                break;
            case PartKind.Sound:
                _held += TokenCount.SoundHeld(size);
                _likely += TokenCount.SoundLikely(size);
                break;
            case PartKind.Uncountable:
                _isUncountable = true;
                _bytes += media.Bytes;
                break;
            default:
                // Whatever it is, it is no picture: it counts as the text that it may be.
                _bytes += media.Bytes;
                break;
        }

        return true;
    }

    /// <summary>The content of a part: of a tool's result, of a document in blocks.</summary>
    private bool Inner()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
            return Count(ref _bytes);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType == JsonTokenType.StartObject ? !Part(out _) : !Count(ref _bytes))
                return false;
        }

        return true;
    }

    private readonly bool IsCacheControl() => _protocol == Protocol.Anthropic && _json.ValueTextEquals("cache_control"u8);

    private bool CacheControl()
    {
        if (_json.TokenType == JsonTokenType.Null)
            return true;
        if (_caching == CacheWrites.None)
            _caching = CacheWrites.FiveMinutes;
        if (_json.TokenType != JsonTokenType.StartObject)
            return Count(ref _moreBytes);
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var isTime = _json.ValueTextEquals("ttl"u8);
            if (!IsWhole())
                return false;
            _json.Read();
            if (isTime && _json.TokenType == JsonTokenType.String && _json.ValueTextEquals("1h"u8))
                _caching = CacheWrites.OneHour;
            if (!Count(ref _moreBytes))
                return false;
        }

        return true;
    }

    private bool Text(ref long bytes)
    {
        bytes += JsonSlices.LengthOf(ref _json, out var isWhole);
        return isWhole || Refuse("A text holds half of a surrogate pair.", _inMessages ? Path("", "") : null);
    }

    /// <summary>Counts a whole value, whatever it is: texts and names by their length, and a byte for each sign that holds them together.</summary>
    private bool Count(ref long bytes)
    {
        var depth = _json.CurrentDepth;
        var isNested = _json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray;
        while (true)
        {
            bytes++;
            switch (_json.TokenType)
            {
                case JsonTokenType.PropertyName when IsCacheControl():
                    _json.Read();
                    if (!CacheControl())
                        return false;
                    break;
                case JsonTokenType.String or JsonTokenType.PropertyName:
                    if (!Text(ref bytes))
                        return false;
                    break;
                case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null:
                    bytes += _json.ValueSpan.Length;
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray when _json.CurrentDepth == depth:
                    return true;
                default:
                    break;
            }

            if (!isNested)
                return true;
            _json.Read();
        }
    }

    private bool IsWhole()
    {
        if (!_json.ValueIsEscaped)
            return true;
        JsonSlices.LengthOf(_json.ValueSpan, out var isWhole);
        return isWhole || Refuse("A text holds half of a surrogate pair.", _inMessages ? Path("", "") : null);
    }

    /// <summary>Where reading stands: in a message and perhaps a part of it, or in a block of the system prompt.</summary>
    private readonly string Path(string content, string member)
    {
        if (!_inMessages)
            return string.Create(CultureInfo.InvariantCulture, $"system[{_part}]{member}");
        return _part < 0
            ? string.Create(CultureInfo.InvariantCulture, $"messages[{_messages}]{content}{member}")
            : string.Create(CultureInfo.InvariantCulture, $"messages[{_messages}].content[{_part}]{member}");
    }

    // The first fault is the one that is told.
    private bool Refuse(string message, string? param)
    {
        Fault ??= new(message, param);
        return false;
    }
}
