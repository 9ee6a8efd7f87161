namespace Ledger.EventStore;

/// <summary>One event as it stands in the log.</summary>
/// <param name="Position">Its place in the log (<c>seq_id</c>); gaps are lawful.</param>
/// <param name="Id">Its derived id.</param>
/// <param name="StreamId">Its stream.</param>
/// <param name="Version">Its place in the stream, contiguous from 1.</param>
/// <param name="Type">Its stored name.</param>
/// <param name="At">When it was recorded, to the microsecond.</param>
/// <param name="Data">Its members as JSON text.</param>
/// <param name="Headers">Its headers as JSON text: actor, hash, and hash of the event before it.</param>
/// <param name="CorrelationId">The request that caused it.</param>
/// <param name="CausationId">The event that caused it, where a reader of the log wrote it.</param>
public sealed record StoredEvent(
    long Position,
    Guid Id,
    string StreamId,
    long Version,
    string Type,
    DateTimeOffset At,
    string Data,
    string? Headers,
    string? CorrelationId,
    string? CausationId
)
{
    /// <summary>Its hash, which the next event of its stream is chained to.</summary>
    /// <exception cref="InvalidDataException">Its headers hold none.</exception>
    public byte[] ReadHash() =>
        HashChain.FromHeaders(Headers, "hash") ?? throw new InvalidDataException($"{StreamId} version {Version} has no hash.");
}
