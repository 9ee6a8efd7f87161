using System.Buffers;
using System.Text;
using System.Text.Json;
using Ledger.Domain.Money;

namespace Ledger.Api.Dialects.Tools;

/// <summary>The members that the tools routes know; each route allows some of them.</summary>
[Flags]
internal enum ToolsMembers
{
    None = 0,
    Tool = 1,
    Units = 2,
    Reference = 4,
    TtlSeconds = 8,
    HoldId = 16,
    Metadata = 32,
    AudioDuration = 64,
}

/// <summary>One thing that is wrong with a request.</summary>
/// <param name="Field">The member; empty for the body as a whole.</param>
/// <param name="Message">What is wrong with it.</param>
internal readonly record struct FieldFault(string Field, string Message);

/// <summary>
/// One request of the tools dialect, read in one pass straight from UTF-8 since it stands on the hot path; every fault is named at once.
/// </summary>
internal sealed class ToolsBody
{
    private const int MaxReference = 200;
    private const int MaxMetadata = 4096;
    private const int MaxTtlSeconds = 86_400;
    private const int MaxName = 100;
    private List<FieldFault>? _faults;

    public string Tool { get; private set; } = "";

    public Quantity Units { get; private set; }

    public string Reference { get; private set; } = "";

    public TimeSpan Ttl { get; private set; } = TimeSpan.FromMinutes(15);

    public Guid HoldId { get; private set; }

    /// <summary>The caller's JSON object, byte for byte; null where there is none.</summary>
    public string? Metadata { get; private set; }

    public Quantity? AudioDuration { get; private set; }

    public IReadOnlyList<FieldFault> Faults => _faults ?? [];

    /// <summary>Reads a whole body.</summary>
    public static ToolsBody Read(in ReadOnlySequence<byte> body, ToolsMembers required, ToolsMembers optional)
    {
        var request = new ToolsBody();
        var contiguous = body.IsSingleSegment ? body.FirstSpan : body.ToArray();
        try
        {
            var reader = new Utf8JsonReader(contiguous);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                request.Fault("", "The body must be a JSON object.");
                return request;
            }

            request.ReadObject(contiguous, ref reader, required, optional);
            if (reader.Read())
                request.Fault("", "The body must be one JSON object and nothing more.");
        }
        catch (JsonException)
        {
            request._faults = null;
            request.Fault("", contiguous.IsEmpty ? "The body is empty; a JSON object was expected." : "The body is not valid JSON.");
        }

        return request;
    }

    /// <summary>Reads one object at the reader's place, such as an item of a batch.</summary>
    /// <exception cref="JsonException">The JSON is broken from here on.</exception>
    public static ToolsBody ReadItem(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, ToolsMembers required, ToolsMembers optional)
    {
        var request = new ToolsBody();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            request.ReadObject(json, ref reader, required, optional);
        }
        else
        {
            reader.Skip();
            request.Fault("", "Each item must be a JSON object.");
        }

        return request;
    }

    private void ReadObject(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, ToolsMembers required, ToolsMembers optional)
    {
        var seen = ToolsMembers.None;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var member = MemberAt(ref reader);
            if ((member & (required | optional)) == 0)
            {
                Fault(NameAt(ref reader), "is not known here");
                reader.Read();
                reader.Skip();
                continue;
            }

            if ((seen & member) != 0)
                Fault(NameOf(member), "must stand only once");
            seen |= member;
            reader.Read();
            ReadMember(json, ref reader, member);
        }

        for (var missing = required & ~seen; missing != 0; missing &= missing - 1)
            Fault(NameOf(missing & ~(missing - 1)), "is required");
    }

    private void ReadMember(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, ToolsMembers member)
    {
        switch (member)
        {
            case ToolsMembers.Tool:
                if (TextAt(ref reader) is { Length: > 0 and <= 100 } tool)
                    Tool = tool;
                else
                    Fault("tool", "must be a text of 1 to 100 characters");
                break;
            case ToolsMembers.Reference:
                if (
                    TextAt(ref reader) is { Length: > 0 } reference
                    && (reference.Length <= MaxReference || reference.EnumerateRunes().Count() <= MaxReference)
                )
                    Reference = reference;
                else
                    Fault("reference", "must be a text of 1 to 200 characters, without NUL");
                break;
            case ToolsMembers.Units:
                if (NumberAt(ref reader) is { IsPositive: true } units)
                    Units = units;
                else
                    Fault("units", "must be a number above 0 and up to 1000000000, with at most nine decimal places");
                break;
            case ToolsMembers.AudioDuration:
                if (NumberAt(ref reader) is { } seconds)
                    AudioDuration = seconds;
                else
                    Fault("audio_duration", "must be a number of seconds from 0 to 1000000000, with at most nine decimal places");
                break;
            case ToolsMembers.TtlSeconds:
                if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var ttl) && ttl is >= 1 and <= MaxTtlSeconds)
                    Ttl = TimeSpan.FromSeconds(ttl);
                else
                    Fault("ttl_seconds", "must be a whole number of seconds from 1 to 86400");
                break;
            case ToolsMembers.HoldId:
                if (TextAt(ref reader) is { } text && Guid.TryParseExact(text, "D", out var hold))
                    HoldId = hold;
                else
                    Fault("hold_id", "must be the hold_id that reserve answered");
                break;
            case ToolsMembers.Metadata:
                ReadMetadata(json, ref reader);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }

        // A value of the wrong kind may be a whole tree.
        reader.Skip();
    }

    private void ReadMetadata(ReadOnlySpan<byte> json, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            Fault("metadata", "must be a JSON object");
            return;
        }

        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        var length = (int)reader.BytesConsumed - start;
        if (length > MaxMetadata)
            Fault("metadata", "must be at most 4096 bytes");
        else if (!System.Text.Unicode.Utf8.IsValid(json.Slice(start, length)))
            Fault("metadata", "must be UTF-8");
        else
            Metadata = Encoding.UTF8.GetString(json.Slice(start, length));
    }

    private void Fault(string field, string message)
    {
        // A body full of nonsense is not worth a list of a thousand lines.
        if ((_faults ??= []).Count < 20)
            _faults.Add(new(field, message));
    }

    /// <summary>A text that both UTF-8 and jsonb can hold: no NUL, no lone surrogates.</summary>
    private static string? TextAt(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            return null;
        try
        {
            var text = reader.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? null : text;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate, or bytes that are not UTF-8.
            return null;
        }
    }

    private static Quantity? NumberAt(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number || reader.ValueSpan.Length > 64)
            return null;
        Span<char> text = stackalloc char[64];
        var length = Encoding.ASCII.GetChars(reader.ValueSpan, text);
        return Quantity.TryParse(text[..length], out var quantity) ? quantity : null;
    }

    private static string NameAt(ref Utf8JsonReader reader)
    {
        try
        {
            var name = reader.GetString()!;
            return name.Length <= MaxName ? name : name[..(char.IsHighSurrogate(name[MaxName - 1]) ? MaxName - 1 : MaxName)];
        }
        catch (InvalidOperationException)
        {
            return "?";
        }
    }

    private static ToolsMembers MemberAt(ref Utf8JsonReader reader) =>
        IsNamed(ref reader, "tool"u8) ? ToolsMembers.Tool
        : IsNamed(ref reader, "units"u8) ? ToolsMembers.Units
        : IsNamed(ref reader, "reference"u8) ? ToolsMembers.Reference
        : IsNamed(ref reader, "ttl_seconds"u8) ? ToolsMembers.TtlSeconds
        : IsNamed(ref reader, "hold_id"u8) ? ToolsMembers.HoldId
        : IsNamed(ref reader, "metadata"u8) ? ToolsMembers.Metadata
        : IsNamed(ref reader, "audio_duration"u8) ? ToolsMembers.AudioDuration
        : ToolsMembers.None;

    /// <summary>Whether the member at the reader's place has this name, however it is escaped.</summary>
    public static bool IsNamed(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (!reader.ValueIsEscaped)
            return reader.ValueSpan.SequenceEqual(name);
        try
        {
            return reader.ValueTextEquals(name);
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate is no name of ours.
            return false;
        }
    }

    private static string NameOf(ToolsMembers member) =>
        member switch
        {
            ToolsMembers.Tool => "tool",
            ToolsMembers.Units => "units",
            ToolsMembers.Reference => "reference",
            ToolsMembers.TtlSeconds => "ttl_seconds",
            ToolsMembers.HoldId => "hold_id",
            ToolsMembers.Metadata => "metadata",
            ToolsMembers.AudioDuration => "audio_duration",
            _ => throw new System.Diagnostics.UnreachableException(),
        };
}
