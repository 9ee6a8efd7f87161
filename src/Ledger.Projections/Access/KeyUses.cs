using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Access;

/// <summary>The primary table <c>key_uses</c>.</summary>
/// <param name="database">Connections.</param>
public sealed class KeyUses(NpgsqlDataSource database)
{
    /// <summary>Keeps when keys were last used; what is there and later stays.</summary>
    public async Task SaveAsync(IReadOnlyCollection<(AccountId Account, KeyId Key, DateTimeOffset At)> uses, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(uses);
        await using var command = database.CreateCommand(
            """
            insert into key_uses as t (account_id, key_id, last_used_at)
            select
              u.account_id,
              u.key_id,
              u.at
            from unnest($1, $2, $3) as u (account_id, key_id, at)
            order by u.account_id, u.key_id
            on conflict (account_id, key_id) do update
            set last_used_at = excluded.last_used_at
            where t.last_used_at < excluded.last_used_at
            """
        );
        command.Parameters.Add(new() { Value = uses.Select(use => use.Account.Value).ToArray() });
        command.Parameters.Add(new() { Value = uses.Select(use => use.Key.Value).ToArray() });
        command.Parameters.Add(new() { Value = uses.Select(use => use.At).ToArray() });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>When each key of an account was last used; keys never used are absent.</summary>
    public async Task<IReadOnlyDictionary<KeyId, DateTimeOffset>> ListAsync(AccountId account, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select u.key_id, u.last_used_at from key_uses u where u.account_id = $1");
        command.Parameters.Add(new() { Value = account.Value });
        var uses = new Dictionary<KeyId, DateTimeOffset>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            uses.Add(new(rows.GetString(0)), rows.GetFieldValue<DateTimeOffset>(1));
        return uses;
    }
}
