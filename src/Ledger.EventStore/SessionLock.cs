using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// A turn that only one process of all on a database has at a time: an advisory lock of a session. It ends with the session, however that
/// ends, so nobody has to clean up after a crash; and whoever lost the connection may no longer have the turn, so what is done under it
/// must be safe to do twice.
/// </summary>
public sealed class SessionLock : IAsyncDisposable
{
    /// <summary>The turn to sweep.</summary>
    public const long Sweep = 0x4C65_6467_6572_01;

    private readonly NpgsqlConnection _connection;
    private readonly long _number;

    /// <summary>The session that has the turn: what is done through it is done under the turn or not at all.</summary>
    internal NpgsqlConnection Connection => _connection;

    private SessionLock(NpgsqlConnection connection, long number) => (_connection, _number) = (connection, number);

    /// <summary>The turn of something that has a name.</summary>
    public static long Of(string name) =>
        System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(
            System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes("ledger " + name))
        );

    /// <summary>Takes a turn, or answers null where another session has it.</summary>
    public static async Task<SessionLock?> TryTakeAsync(NpgsqlDataSource database, long number, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        var connection = await database.OpenConnectionAsync(ct);
        try
        {
            await using var take = new NpgsqlCommand("select pg_try_advisory_lock($1)", connection)
            {
                Parameters = { new() { Value = number } },
            };
            if ((bool)(await take.ExecuteScalarAsync(ct))!)
                return new(connection, number);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return null;
    }

    /// <summary>Makes sure that this is still the turn's session, for work that goes on for long.</summary>
    /// <exception cref="NpgsqlException">The session is lost, and the turn with it: nothing more may be begun under it.</exception>
    public async Task CheckAsync(CancellationToken ct)
    {
        await using var ask = new NpgsqlCommand("select", _connection);
        await ask.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Ends the turn.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await using var give = new NpgsqlCommand("select pg_advisory_unlock($1)", _connection)
            {
                Parameters = { new() { Value = _number } },
            };
            await give.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is gone, and the turn with it.
        }

        await _connection.DisposeAsync();
    }
}
