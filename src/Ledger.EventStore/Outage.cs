using Npgsql;

namespace Ledger.EventStore;

/// <summary>Tells a database that is away, or that cannot serve for now, from one that has refused a statement, which is a bug of ours.</summary>
public static class Outage
{
    /// <summary>
    /// Whether the same request may well succeed later, without anybody changing this program: the connection broke or cannot be made, the
    /// server stops, starts, is full, is read-only, or has let another transaction go first.
    /// </summary>
    public static bool Is(Exception fault) =>
        fault switch
        {
            PostgresException { SqlState: var state } => IsState(state),
            NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException => true,
            _ => false,
        };

    /// <summary>Whether an SQLSTATE tells of an outage.</summary>
    public static bool IsState(string state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state
                is PostgresErrorCodes.ReadOnlySqlTransaction
                    or PostgresErrorCodes.SerializationFailure
                    or PostgresErrorCodes.DeadlockDetected
                    or PostgresErrorCodes.LockNotAvailable
            // By class: no connection, no authorization to connect, no such database, no resources, operator's intervention, the system below.
            || state is ['0', '8', ..] or ['2', '8', ..] or ['3', 'D', ..] or ['5', '3', ..] or ['5', '7', ..] or ['5', '8', ..];
    }
}
