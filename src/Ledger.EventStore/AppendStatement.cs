using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.EventStore;

/// <summary>
/// The one statement that appends a batch and writes the inline read models, and the columns that feed it. It is composed of what a batch
/// needs: most batches only spend, and a plan that could also open accounts would cost them a fifth more.
/// </summary>
internal sealed class AppendStatement : InlineWrite
{
    private readonly InlineColumn<string> _streamId;
    private readonly InlineColumn<long> _expected;
    private readonly InlineColumn<long> _next;
    private readonly InlineColumn<DateTimeOffset> _streamAt;
    private readonly InlineColumn<string> _streamType;
    private readonly InlineColumn<int> _eventN;
    private readonly InlineColumn<string> _eventStreamId;
    private readonly InlineColumn<Guid> _eventId;
    private readonly InlineColumn<long> _eventVersion;
    private readonly InlineColumn<string> _eventData;
    private readonly InlineColumn<string> _eventType;
    private readonly InlineColumn<DateTimeOffset> _eventAt;
    private readonly InlineColumn<string> _eventDotnetType;
    private readonly InlineColumn<string?> _eventCorrelationId;
    private readonly InlineColumn<string?> _eventCausationId;
    private readonly InlineColumn<string> _eventHeaders;
    private readonly InlineColumn<string> _guardId;
    private readonly InlineColumn<long> _guardVersion;

    public AppendStatement()
    {
        _streamId = Column<string>("stream_id", NpgsqlDbType.Varchar);
        _expected = Column<long>("expected", NpgsqlDbType.Bigint);
        _next = Column<long>("next", NpgsqlDbType.Bigint);
        _streamAt = Column<DateTimeOffset>("stream_at", NpgsqlDbType.TimestampTz);
        _streamType = Column<string>("stream_type", NpgsqlDbType.Varchar);
        _guardId = Column<string>("guard_id", NpgsqlDbType.Varchar);
        _guardVersion = Column<long>("guard_version", NpgsqlDbType.Bigint);
        _eventN = Column<int>("event_n", NpgsqlDbType.Integer);
        _eventStreamId = Column<string>("event_stream_id", NpgsqlDbType.Varchar);
        _eventId = Column<Guid>("event_id", NpgsqlDbType.Uuid);
        _eventVersion = Column<long>("event_version", NpgsqlDbType.Bigint);
        _eventData = Column<string>("event_data", NpgsqlDbType.Jsonb);
        _eventType = Column<string>("event_type", NpgsqlDbType.Varchar);
        _eventAt = Column<DateTimeOffset>("event_at", NpgsqlDbType.TimestampTz);
        _eventDotnetType = Column<string>("event_dotnet_type", NpgsqlDbType.Varchar);
        _eventCorrelationId = Column<string?>("event_correlation_id", NpgsqlDbType.Varchar);
        _eventCausationId = Column<string?>("event_causation_id", NpgsqlDbType.Varchar);
        _eventHeaders = Column<string>("event_headers", NpgsqlDbType.Jsonb);
    }

    public override string Sql => SqlFile.Read("append.sql");

    /// <summary>Whether a stream of the batch is to be opened.</summary>
    public bool Opens { get; private set; }

    /// <summary>The statement and what feeds it.</summary>
    /// <param name="opens">Whether streams may be opened.</param>
    /// <param name="looks">Whether ids that stand in the log already are looked for before anything is written.</param>
    /// <param name="writes">The inline read models with rows.</param>
    public NpgsqlBatchCommand Compose(bool opens, bool looks, IEnumerable<InlineWrite> writes)
    {
        string[] blocks = [.. (string[])(opens ? ["opens"] : []), .. (string[])(looks ? ["looks"] : [])];
        var parameters = new List<NpgsqlParameter>();
        var sql = new StringBuilder(InlineSql.Resolve(InlineSql.Keep(Sql, blocks), this, parameters));
        foreach (var write in writes)
            sql.Append(",\n").Append(InlineSql.Resolve(write.Sql, write, parameters));
        sql.Append('\n').Append(InlineSql.Keep(SqlFile.Read("appended.sql"), blocks));
        var command = new NpgsqlBatchCommand(sql.ToString());
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter);
        return command;
    }

    public void Guard((string StreamId, long Version) guard)
    {
        _guardId.Add(guard.StreamId);
        _guardVersion.Add(guard.Version);
    }

    public void AddStream(StreamAppend stream)
    {
        _streamId.Add(stream.StreamId);
        _expected.Add(stream.ExpectedVersion);
        _next.Add(stream.ExpectedVersion + stream.Count);
        _streamAt.Add(stream.Events[^1].Event.At);
        _streamType.Add(stream.StreamType);
        Opens |= stream.ExpectedVersion == 0;
    }

    public override void Clear()
    {
        base.Clear();
        Opens = false;
    }

    public void AddEvent(int n, string streamId, long version, in StreamAppend.Sealed added)
    {
        var @event = added.Event;
        _eventN.Add(n);
        _eventStreamId.Add(streamId);
        _eventId.Add(@event.Id);
        _eventVersion.Add(version);
        _eventData.Add(added.Data);
        _eventType.Add(@event.Type.Name);
        _eventAt.Add(@event.At);
        _eventDotnetType.Add(@event.Type.DotnetType);
        _eventCorrelationId.Add(@event.CorrelationId);
        _eventCausationId.Add(@event.CausationId);
        _eventHeaders.Add(added.Headers);
    }
}
