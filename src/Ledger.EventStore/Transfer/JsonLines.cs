using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ledger.EventStore.Transfer;

/// <summary>Events as JSON objects, one a line, in parts that are compressed with gzip. Headers and members are the very text that PostgreSQL has of them.</summary>
internal sealed class JsonLines : LineFormat
{
    // What is copied as it is; everything else goes through the encoder.
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"u8
    );

    // Position, stream, version, id, type, time and members: one bit each, by the numbers below.
    private const int Required = 0b1011_1111;

    /// <inheritdoc/>
    public override string Name => "jsonl";

    /// <inheritdoc/>
    public override string Extension => ".jsonl.gz";

    /// <inheritdoc/>
    public override bool IsCompressed => true;

    /// <inheritdoc/>
    public override int HeadLines => 0;

    /// <inheritdoc/>
    protected override ReadOnlyMemory<byte> BeforeCheck { get; } = ",\"crc\":\""u8.ToArray();

    /// <inheritdoc/>
    protected override ReadOnlyMemory<byte> AfterCheck { get; } = "\"}"u8.ToArray();

    /// <inheritdoc/>
    public override void WriteHead(ByteBuffer to) { }

    /// <inheritdoc/>
    public override void ReadHead(ReadOnlySpan<byte> line) { }

    /// <inheritdoc/>
    protected override void WriteBody(in EventRow row, ByteBuffer to)
    {
        to.Write("{\"position\":"u8);
        WriteNumber(to, row.Position);
        to.Write(",\"stream\":"u8);
        WriteText(to, row.Stream.Span);
        to.Write(",\"version\":"u8);
        WriteNumber(to, row.Version);
        to.Write(",\"id\":\""u8);
        WriteId(to, row.Id);
        to.Write("\",\"type\":"u8);
        WriteText(to, row.Type.Span);
        to.Write(",\"at\":\""u8);
        WriteTime(to, row.At);
        to.Write("\""u8);
        if (row.DotnetType is { } dotnet)
        {
            to.Write(",\"dotnet_type\":"u8);
            WriteText(to, dotnet.Span);
        }

        if (row.CorrelationId is { } correlation)
        {
            to.Write(",\"correlation_id\":"u8);
            WriteText(to, correlation.Span);
        }

        if (row.CausationId is { } causation)
        {
            to.Write(",\"causation_id\":"u8);
            WriteText(to, causation.Span);
        }

        if (row.Headers is { } headers)
        {
            to.Write(",\"headers\":"u8);
            to.Write(headers.Span);
        }

        to.Write(",\"data\":"u8);
        to.Write(row.Data.Span);
        if (row.StreamType is { } type)
        {
            to.Write(",\"stream_type\":"u8);
            WriteText(to, type.Span);
        }

        if (row.StreamCreated is { } created)
        {
            to.Write(",\"stream_created\":\""u8);
            WriteTime(to, created);
            to.Write("\""u8);
        }
    }

    /// <inheritdoc/>
    protected override EventRow ReadBody(ReadOnlyMemory<byte> line, ReadOnlyMemory<byte> body)
    {
        try
        {
            return Read(line);
        }
        catch (JsonException)
        {
            throw new LineException("it is not JSON");
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new LineException("a member has not the type that it must have");
        }
    }

    private static EventRow Read(ReadOnlyMemory<byte> line)
    {
        var json = new Utf8JsonReader(line.Span);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
            throw new LineException("it is not a JSON object");
        var row = new EventRow();
        var seen = 0;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var member = Member(ref json);
            if ((seen & (1 << member)) != 0)
                throw new LineException("it has a member twice");
            seen |= 1 << member;
            json.Read();
            switch (member)
            {
                case 0:
                    row.Position = json.GetInt64();
                    break;
                case 1:
                    row.Stream = Text(ref json, line);
                    break;
                case 2:
                    row.Version = json.GetInt64();
                    break;
                case 3:
                    row.Id = ReadId(Text(ref json, line).Span);
                    break;
                case 4:
                    row.Type = Text(ref json, line);
                    break;
                case 5:
                    row.At = ReadTime(Text(ref json, line).Span, "at");
                    break;
                case 6:
                    row.Headers = Raw(ref json, line);
                    break;
                case 7:
                    row.Data = Raw(ref json, line);
                    break;
                case 8:
                    row.DotnetType = Text(ref json, line);
                    break;
                case 9:
                    row.CorrelationId = Text(ref json, line);
                    break;
                case 10:
                    row.CausationId = Text(ref json, line);
                    break;
                case 11:
                    row.StreamType = Text(ref json, line);
                    break;
                case 12:
                    row.StreamCreated = ReadTime(Text(ref json, line).Span, "stream_created");
                    break;
                default:
                    json.Skip();
                    break;
            }
        }

        if (json.Read())
            throw new LineException("something follows on it in the same line");
        if ((seen & Required) != Required)
            throw new LineException("it lacks a member that every event has");
        return row;
    }

    private static int Member(ref Utf8JsonReader json) =>
        json.ValueTextEquals("position"u8) ? 0
        : json.ValueTextEquals("stream"u8) ? 1
        : json.ValueTextEquals("version"u8) ? 2
        : json.ValueTextEquals("id"u8) ? 3
        : json.ValueTextEquals("type"u8) ? 4
        : json.ValueTextEquals("at"u8) ? 5
        : json.ValueTextEquals("headers"u8) ? 6
        : json.ValueTextEquals("data"u8) ? 7
        : json.ValueTextEquals("dotnet_type"u8) ? 8
        : json.ValueTextEquals("correlation_id"u8) ? 9
        : json.ValueTextEquals("causation_id"u8) ? 10
        : json.ValueTextEquals("stream_type"u8) ? 11
        : json.ValueTextEquals("stream_created"u8) ? 12
        : json.ValueTextEquals("crc"u8) ? 13
        : throw new LineException($"it has a member '{json.GetString()}', which this program does not know");

    private static ReadOnlyMemory<byte> Text(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        if (json.TokenType != JsonTokenType.String)
            throw new LineException("a member has not the type that it must have");
        if (!json.ValueIsEscaped)
            return line.Slice((int)json.TokenStartIndex + 1, json.ValueSpan.Length);
        var text = new byte[json.ValueSpan.Length];
        return text.AsMemory(0, json.CopyString(text));
    }

    private static ReadOnlyMemory<byte> Raw(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        var start = (int)json.TokenStartIndex;
        json.Skip();
        return line[start..(int)json.BytesConsumed];
    }

    private static void WriteText(ByteBuffer to, ReadOnlySpan<byte> text)
    {
        to.Write("\""u8);
        to.Write(
            text.ContainsAnyExcept(Plain)
                ? JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes
                : text
        );
        to.Write("\""u8);
    }
}
