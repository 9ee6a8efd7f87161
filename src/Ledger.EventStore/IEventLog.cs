namespace Ledger.EventStore;

/// <summary>
/// The event log, behind one narrow interface: append a batch with expected versions, read a stream, read the log, apply and check the schema.
/// Two implementations are planned: Npgsql, and the Marten package where a feed has it.
/// </summary>
public interface IEventLog
{
    /// <summary>Opens a writer on a connection of its own.</summary>
    /// <param name="writes">The inline read models that are written in the same transaction as the events.</param>
    /// <param name="ct">Gives up.</param>
    Task<ILogWriter> OpenWriterAsync(IReadOnlyList<InlineWrite> writes, CancellationToken ct);

    /// <summary>The events of one stream in order, from the version after <paramref name="after"/>, at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<StoredEvent>> ReadStreamAsync(string streamId, long after, int limit, CancellationToken ct);

    /// <summary>
    /// The committed events after a position, in the order of positions, at most <paramref name="limit"/>, gaps passed over.
    /// A reader that must not miss a late commit uses <see cref="LogReader"/>.
    /// </summary>
    Task<IReadOnlyList<StoredEvent>> ReadLogAsync(long after, int limit, CancellationToken ct);

    /// <summary>The facts that stand under these ids, each in its stream.</summary>
    Task<IReadOnlyList<StoredEvent>> FindAsync(IReadOnlyList<(string StreamId, Guid Id)> ids, CancellationToken ct);

    /// <summary>Applies the migrations that are missing, in order, one server at a time.</summary>
    /// <exception cref="SchemaException">The database is newer than this server.</exception>
    Task<int> MigrateAsync(CancellationToken ct);

    /// <summary>Why the database cannot be used as it is: a missing or unknown migration, or a missing unique index; null where it can.</summary>
    Task<string?> CheckSchemaAsync(CancellationToken ct);
}

/// <summary>One writer of the log, on a connection of its own. Not safe for concurrent use.</summary>
public interface ILogWriter : IAsyncDisposable
{
    /// <summary>The server process behind the connection, by which it can be found and ended.</summary>
    Backend Backend { get; }

    /// <summary>
    /// Appends, confirms and recalls in one round trip and one transaction. On return all of it is committed. An id that stands in the log
    /// already is either found first (<see cref="TripResult.Repeated"/>) or refused as a unique violation, which undoes the whole trip; after
    /// one that was refused, the next trips look first.
    /// </summary>
    Task<TripResult> SendAsync(Trip trip, CancellationToken ct);

    /// <summary>
    /// Begins a transaction and locks streams in id order until the next <see cref="SendAsync"/>, which commits, or <see cref="RollbackAsync"/>;
    /// what is read in between cannot change.
    /// </summary>
    Task LockAsync(IReadOnlyList<string> streamIds, CancellationToken ct);

    /// <summary>Gives up the locks.</summary>
    Task RollbackAsync(CancellationToken ct);
}

/// <summary>A PostgreSQL server process.</summary>
/// <param name="ProcessId">Its process id.</param>
/// <param name="StartedAt">When it started, since ids are used again.</param>
public readonly record struct Backend(int ProcessId, DateTimeOffset StartedAt);

/// <summary>What goes to the database at once. Reused from trip to trip.</summary>
public sealed class Trip
{
    /// <summary>The streams that are appended to, sorted ordinally by id, each once.</summary>
    public List<StreamAppend> Streams { get; } = [];

    /// <summary>Streams of which the current version is asked for, such as those that a refusal depends on.</summary>
    public List<string> Confirm { get; } = [];

    /// <summary>Ids that are looked up.</summary>
    public List<(string StreamId, Guid Id)> Recall { get; } = [];

    /// <summary>A stream at whose version every decision in the batch was made, such as the rate card's.</summary>
    public (string StreamId, long Version)? Guard { get; set; }

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        Streams.Clear();
        Confirm.Clear();
        Recall.Clear();
        Guard = null;
    }
}

/// <summary>What came back from a trip.</summary>
/// <param name="GuardHeld">Whether the guard stream was at its version; where not, nothing was appended.</param>
/// <param name="Won">Whether each stream of the trip, by index, was appended to.</param>
/// <param name="Repeated">The indexes of the streams of which an event's id stands in the log already.</param>
/// <param name="Versions">The current version of each stream that was to be confirmed; absent where there is no such stream.</param>
/// <param name="Recalled">The facts found.</param>
public sealed record TripResult(
    bool GuardHeld,
    IReadOnlyList<bool> Won,
    IReadOnlySet<int> Repeated,
    IReadOnlyDictionary<string, long> Versions,
    IReadOnlyList<StoredEvent> Recalled
)
{
    /// <summary>What comes back where nothing was asked.</summary>
    internal static TripResult Nothing { get; } = new(true, [], new HashSet<int>(), new Dictionary<string, long>(), []);
}

/// <summary>The database's schema does not fit this server.</summary>
public sealed class SchemaException(string message) : Exception(message);
