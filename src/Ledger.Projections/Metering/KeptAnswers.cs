using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Metering;

/// <summary>The primary table <c>kept_answers</c>: encrypted answers of named calls, for a day.</summary>
/// <param name="database">Connections.</param>
public sealed class KeptAnswers(NpgsqlDataSource database)
{
    /// <summary>How long an answer is kept.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    /// <summary>Keeps the answer of a call; the first one, where it is kept already.</summary>
    public async Task KeepAsync(AccountId account, HoldId hold, byte[] answer, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            insert into kept_answers (hold_id, account_id, kept_at, answer)
            values ($1, $2, $3, $4)
            on conflict (hold_id) do nothing
            """
        );
        command.Parameters.Add(new() { Value = hold.Value });
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = now });
        command.Parameters.Add(new() { Value = answer });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The answer of a call; null where it is not kept, or no longer.</summary>
    public async Task<byte[]?> FindAsync(AccountId account, HoldId hold, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select a.answer
            from kept_answers a
            where a.hold_id = $1
              and a.account_id = $2
              and a.kept_at > $3
            """
        );
        command.Parameters.Add(new() { Value = hold.Value });
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = now - Lifetime });
        return await command.ExecuteScalarAsync(ct) as byte[];
    }

    /// <summary>Deletes what was kept for long enough, a thousand at a time.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> DeleteOldAsync(DateTimeOffset now, CancellationToken ct)
    {
        for (var deleted = 0; ; )
        {
            await using var command = database.CreateCommand(
                """
                delete from kept_answers a
                where a.hold_id in (
                  select o.hold_id
                  from kept_answers o
                  where o.kept_at <= $1
                  limit 1000
                )
                """
            );
            command.Parameters.Add(new() { Value = now - Lifetime });
            var count = await command.ExecuteNonQueryAsync(ct);
            deleted += count;
            if (count < 1000)
                return deleted;
        }
    }
}
