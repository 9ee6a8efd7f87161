using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ledger.EventStore;

/// <summary>One event to append.</summary>
/// <param name="Id">Its derived id.</param>
/// <param name="Type">Its type.</param>
/// <param name="Body">The event.</param>
/// <param name="At">Its time; whole microseconds.</param>
/// <param name="Actor">Who did it; pseudonymous.</param>
/// <param name="CorrelationId">The request that caused it.</param>
/// <param name="CausationId">The event that caused it.</param>
/// <param name="Address">From where it was done; null where that is not kept.</param>
public readonly record struct NewEvent(
    Guid Id,
    EventType Type,
    object Body,
    DateTimeOffset At,
    string? Actor,
    string? CorrelationId,
    string? CausationId,
    string? Address = null
);

/// <summary>Events to append to one stream, each chained to the one before as it is added.</summary>
public sealed class StreamAppend
{
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    private readonly List<Sealed> _events = [];

    /// <summary>An append without events yet.</summary>
    /// <param name="streamId">The stream.</param>
    /// <param name="streamType">Its aggregate's alias.</param>
    /// <param name="expectedVersion">The version it must be at; 0 where it must not exist.</param>
    /// <param name="lastHash">The hash of its last event; <see cref="HashChain.Start"/> where it has none.</param>
    public StreamAppend(string streamId, string streamType, long expectedVersion, ReadOnlyMemory<byte> lastHash)
    {
        (StreamId, StreamType, ExpectedVersion, LastHash) = (streamId, streamType, expectedVersion, lastHash);
    }

    /// <summary>The stream.</summary>
    public string StreamId { get; }

    /// <summary>Its aggregate's alias.</summary>
    public string StreamType { get; }

    /// <summary>The version it must be at; 0 where it must not exist.</summary>
    public long ExpectedVersion { get; }

    /// <summary>How many events were added.</summary>
    public int Count => _events.Count;

    /// <summary>The hash of the last event added, or of the stream's last event where none was.</summary>
    public ReadOnlyMemory<byte> LastHash { get; private set; }

    internal IReadOnlyList<Sealed> Events => _events;

    /// <summary>Adds the next event: it gets the next version, its JSON form and its place in the hash chain.</summary>
    public void Add(in NewEvent @event)
    {
        var buffer = _buffer ??= new(2048);
        var writer = _writer ??= new(buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        JsonSerializer.Serialize(writer, @event.Body, @event.Type.Json);
        var previous = LastHash.Span;
        var who = EventHeaders.Of(@event.Actor, @event.Address);
        var hash = HashChain.Hash(
            StreamId,
            ExpectedVersion + _events.Count + 1,
            @event.Id,
            @event.Type.Name,
            @event.At,
            who.Covered,
            buffer.WrittenSpan,
            previous
        );
        _events.Add(new(@event, Encoding.UTF8.GetString(buffer.WrittenSpan), who.Write(hash, previous)));
        LastHash = hash;
    }

    internal readonly record struct Sealed(NewEvent Event, string Data, string Headers);
}
