using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// The transactions that had drawn positions of the log at some moment and had not ended: whose events may still be committed at positions
/// behind which others stand already. Nobody else's can be: <c>nextval</c> locks the sequence before it draws, and the lock is held
/// until the transaction has ended and what it did is visible. See <c>docs/decisions/0007-waiting-for-drawers.md</c>.
/// </summary>
internal sealed class Drawers
{
    private HashSet<string> _waited;

    private Drawers(HashSet<string> running) => _waited = running;

    /// <summary>Whether all of them have ended; what they committed is visible to whatever is read after that was seen.</summary>
    public bool HaveEnded => _waited.Count == 0;

    /// <summary>Those that have drawn and not ended now.</summary>
    /// <exception cref="InvalidOperationException">This is a standby, which does not know the locks of its primary.</exception>
    public static async Task<Drawers> OfNowAsync(NpgsqlConnection connection, CancellationToken ct) =>
        new((await RunningAsync(connection, ct)).Select(drawer => drawer.Name).ToHashSet(StringComparer.Ordinal));

    /// <summary>Looks who of them has ended.</summary>
    public async Task LookAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        if (HaveEnded)
            return;
        var running = await RunningAsync(connection, ct);
        var waited = running.Where(drawer => _waited.Contains(drawer.Name)).Select(drawer => drawer.Name).ToHashSet(StringComparer.Ordinal);

        // A crash ends all but those that are prepared for their commit, and these go on under another name.
        if (waited.Count < _waited.Count)
            waited.UnionWith(running.Where(drawer => drawer.IsPrepared).Select(drawer => drawer.Name));
        _waited = waited;
    }

    private static async Task<List<(string Name, bool IsPrepared)>> RunningAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            select
              l.virtualtransaction,
              l.pid is null,
              pg_is_in_recovery()
            from (select) one
            left join pg_locks l
              on l.locktype = 'relation'
              and l.database = (select d.oid from pg_database d where d.datname = current_database())
              and l.relation = 'mt_events_sequence'::regclass
              and l.mode = 'RowExclusiveLock'
              and l.granted
            """,
            connection
        );
        var running = new List<(string, bool)>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            if (rows.GetBoolean(2))
                throw new InvalidOperationException(
                    "A standby cannot tell which commits are under way; the log is read in order on its primary."
                );
            if (!rows.IsDBNull(0))
                running.Add((rows.GetString(0), rows.GetBoolean(1)));
        }

        return running;
    }
}
