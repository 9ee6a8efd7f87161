using Ledger.Domain;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Notifications;

/// <summary>Where an account wants to be told what happens to it.</summary>
/// <param name="Account">The account.</param>
/// <param name="Url">The address that webhooks go to; null for none.</param>
/// <param name="Secret">What they are signed with, protected; null where there is no address.</param>
/// <param name="ByMail">Whether its holder gets mail.</param>
/// <param name="UpdatedAt">When that was said last.</param>
public sealed record NotificationTargetRow(AccountId Account, string? Url, string? Secret, bool ByMail, DateTimeOffset UpdatedAt);

/// <summary>The primary table <c>notification_targets</c>.</summary>
/// <param name="database">Connections.</param>
public sealed class NotificationTargetRows(NpgsqlDataSource database)
{
    /// <summary>Where an account wants to be told; null where nowhere.</summary>
    public async Task<NotificationTargetRow?> FindAsync(AccountId account, CancellationToken ct) =>
        (await ListAsync([account], ct)).SingleOrDefault();

    /// <summary>Where some accounts want to be told; those that nowhere do are absent.</summary>
    public async Task<IReadOnlyList<NotificationTargetRow>> ListAsync(IReadOnlyCollection<AccountId> accounts, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(accounts);
        await using var command = database.CreateCommand(
            """
            select
              t.account_id,
              t.url,
              t.secret,
              t.by_mail,
              t.updated_at
            from notification_targets t
            where t.account_id = any ($1)
            """
        );
        command.Parameters.Add(new() { Value = accounts.Select(account => account.Value).ToArray() });
        var found = new List<NotificationTargetRow>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            found.Add(
                new(
                    new(rows.GetString(0)),
                    rows.IsDBNull(1) ? null : rows.GetString(1),
                    rows.IsDBNull(2) ? null : rows.GetString(2),
                    rows.GetBoolean(3),
                    rows.GetFieldValue<DateTimeOffset>(4)
                )
            );
        }

        return found;
    }

    /// <summary>Says where an account wants to be told. An address that it had already keeps its secret.</summary>
    /// <param name="target">Where, with a new secret.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Whether the new secret is the one that counts now.</returns>
    public async Task<bool> SaveAsync(NotificationTargetRow target, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(target);

        // Decided by the row itself: of two that are said at once, only the secret of the one that stays may be shown as it.
        await using var command = database.CreateCommand(
            """
            insert into notification_targets as t (account_id, url, secret, by_mail, updated_at)
            values ($1, $2, $3, $4, $5)
            on conflict (account_id) do update
            set
              url = excluded.url,
              secret = case when t.url = excluded.url then t.secret else excluded.secret end,
              by_mail = excluded.by_mail,
              updated_at = excluded.updated_at
            returning t.secret is not distinct from $3
            """
        );
        command.Parameters.Add(new() { Value = target.Account.Value });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = target.Url, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = target.Secret, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new() { Value = target.ByMail });
        command.Parameters.Add(new() { Value = target.UpdatedAt });
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>An account wants to be told nowhere any more.</summary>
    public async Task DeleteAsync(AccountId account, CancellationToken ct)
    {
        await using var command = database.CreateCommand("delete from notification_targets t where t.account_id = $1");
        command.Parameters.Add(new() { Value = account.Value });
        await command.ExecuteNonQueryAsync(ct);
    }
}
