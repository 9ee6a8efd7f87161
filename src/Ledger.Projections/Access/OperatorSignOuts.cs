using Npgsql;

namespace Ledger.Projections.Access;

/// <summary>The primary table <c>operator_sign_outs</c>: which of the operator's sessions were signed out, on every node, before they lapsed by themselves.</summary>
/// <param name="database">Connections.</param>
public sealed class OperatorSignOuts(NpgsqlDataSource database)
{
    /// <summary>How long they are kept: far longer than any session lasts without being used.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(1);

    /// <summary>Ends a session; already so where it was ended before. Forgets those that have lapsed meanwhile.</summary>
    public async Task EndAsync(string session, DateTimeOffset now, CancellationToken ct)
    {
        await using var batch = database.CreateBatch();
        var end = new NpgsqlBatchCommand(
            """
            insert into operator_sign_outs (session_id, ended_at)
            values ($1, $2)
            on conflict (session_id) do nothing
            """
        );
        end.Parameters.Add(new() { Value = session });
        end.Parameters.Add(new() { Value = now });
        var forget = new NpgsqlBatchCommand("delete from operator_sign_outs s where s.ended_at < $1");
        forget.Parameters.Add(new() { Value = now - Kept });
        batch.BatchCommands.Add(end);
        batch.BatchCommands.Add(forget);
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Whether a session was ended.</summary>
    public async Task<bool> HasEndedAsync(string session, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select exists (select from operator_sign_outs s where s.session_id = $1)");
        command.Parameters.Add(new() { Value = session });
        return await command.ExecuteScalarAsync(ct) is true;
    }
}
