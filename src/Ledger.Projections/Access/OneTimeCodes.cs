using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Access;

/// <summary>The primary table <c>one_time_codes</c>: at most one open code per person, tried at most five times.</summary>
/// <param name="database">Connections.</param>
public sealed class OneTimeCodes(NpgsqlDataSource database)
{
    /// <summary>How often one code may be tried.</summary>
    public const int MaxAttempts = 5;

    /// <summary>Opens a code, in place of the one before.</summary>
    public async Task OpenAsync(AccountId account, byte[] codeHash, DateTimeOffset expiresAt, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            insert into one_time_codes (account_id, code_hash, expires_at, attempts)
            values ($1, $2, $3, 0)
            on conflict (account_id) do update
            set
              code_hash = excluded.code_hash,
              expires_at = excluded.expires_at,
              attempts = 0
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = codeHash });
        command.Parameters.Add(new() { Value = expiresAt });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Tries a code: counted first, so that no number of tries at once gets past the limit; and used up where it is right.</summary>
    public async Task<bool> TryAsync(AccountId account, byte[] codeHash, DateTimeOffset now, CancellationToken ct)
    {
        await using var count = database.CreateCommand(
            """
            update one_time_codes c
            set attempts = c.attempts + 1
            where c.account_id = $1
              and c.expires_at > $3
              and c.attempts < $4
            returning c.code_hash = $2
            """
        );
        count.Parameters.Add(new() { Value = account.Value });
        count.Parameters.Add(new() { Value = codeHash });
        count.Parameters.Add(new() { Value = now });
        count.Parameters.Add(new() { Value = MaxAttempts });
        if (await count.ExecuteScalarAsync(ct) is not true)
            return false;

        await using var use = database.CreateCommand("delete from one_time_codes c where c.account_id = $1 and c.code_hash = $2");
        use.Parameters.Add(new() { Value = account.Value });
        use.Parameters.Add(new() { Value = codeHash });
        return await use.ExecuteNonQueryAsync(ct) == 1;
    }
}
