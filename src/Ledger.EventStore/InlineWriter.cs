using System.Text;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// Writes read models outside of an append, by the very same SQL: what a rebuild needs, so that it cannot differ from the live path.
/// Not safe for concurrent use.
/// </summary>
public sealed class InlineWriter : IAsyncDisposable
{
    private readonly NpgsqlCommand _command;
    private readonly IReadOnlyList<InlineWrite> _writes;

    /// <summary>A writer on a connection whose search path says which tables it writes.</summary>
    /// <param name="connection">The connection, open.</param>
    /// <param name="writes">The read models.</param>
    public InlineWriter(NpgsqlConnection connection, IReadOnlyList<InlineWrite> writes)
    {
        ArgumentNullException.ThrowIfNull(writes);
        _writes = writes;

        // The append's verdict, as if every stream had won.
        var sql = new StringBuilder("with won as materialized (select true as everything, null::int[] as streams)");
        var parameters = new List<NpgsqlParameter>();
        foreach (var write in writes)
            sql.Append(",\n").Append(InlineSql.Resolve(write.Sql, write, parameters));
        sql.Append("\nselect");
        _command = new(sql.ToString(), connection);
        foreach (var parameter in parameters)
            _command.Parameters.Add(parameter);
    }

    /// <summary>Writes what the columns hold, in one statement, and empties them.</summary>
    public async Task WriteAsync(CancellationToken ct)
    {
        try
        {
            await _command.PrepareAsync(ct);
            await _command.ExecuteNonQueryAsync(ct);
        }
        finally
        {
            foreach (var write in _writes)
                write.Clear();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _command.DisposeAsync();
}
