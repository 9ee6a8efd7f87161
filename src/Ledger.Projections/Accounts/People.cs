using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Accounts;

/// <summary>One person: the personal data of an account.</summary>
/// <param name="Account">The account.</param>
/// <param name="Email">The address, as it was given.</param>
/// <param name="CreatedAt">When it was recorded.</param>
public sealed record Person(AccountId Account, string Email, DateTimeOffset CreatedAt);

/// <summary>The primary tables <c>people</c> and <c>credentials</c>: personal data, which is in no event.</summary>
/// <param name="database">Connections.</param>
public sealed class People(NpgsqlDataSource database)
{
    /// <summary>Records a person unless the address, without regard to case, is taken; either way, whose it is now.</summary>
    public async Task<Person> AddAsync(Person person, string? passwordHash, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(person);
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (
            var insert = new NpgsqlCommand(
                "insert into people (account_id, email, created_at) values ($1, $2, $3) on conflict (lower(email)) do nothing",
                connection,
                transaction
            )
            {
                Parameters =
                {
                    new() { Value = person.Account.Value },
                    new() { Value = person.Email },
                    new() { Value = person.CreatedAt },
                },
            }
        )
        {
            var added = await insert.ExecuteNonQueryAsync(ct);
            if (added == 1 && passwordHash is not null)
            {
                await using var credentials = new NpgsqlCommand(
                    "insert into credentials (account_id, password_hash, changed_at) values ($1, $2, $3)",
                    connection,
                    transaction
                )
                {
                    Parameters =
                    {
                        new() { Value = person.Account.Value },
                        new() { Value = passwordHash },
                        new() { Value = person.CreatedAt },
                    },
                };
                await credentials.ExecuteNonQueryAsync(ct);
            }
        }

        await transaction.CommitAsync(ct);
        return (await FindByEmailAsync(person.Email, ct))!;
    }

    /// <summary>Replaces an account's password; null leaves it as it is.</summary>
    public async Task SetPasswordAsync(AccountId account, string? passwordHash, DateTimeOffset now, CancellationToken ct)
    {
        if (passwordHash is null)
            return;
        await using var command = database.CreateCommand(
            """
            insert into credentials (account_id, password_hash, changed_at)
            values ($1, $2, $3)
            on conflict (account_id) do update
            set
              password_hash = excluded.password_hash,
              changed_at = excluded.changed_at
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = passwordHash });
        command.Parameters.Add(new() { Value = now });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>An account's password hash; null where it has none.</summary>
    public async Task<string?> FindPasswordAsync(AccountId account, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select c.password_hash from credentials c where c.account_id = $1");
        command.Parameters.Add(new() { Value = account.Value });
        return (string?)await command.ExecuteScalarAsync(ct);
    }

    /// <summary>Whose address this is, without regard to case; null where it is nobody's.</summary>
    public async Task<Person?> FindByEmailAsync(string email, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select p.account_id, p.email, p.created_at from people p where lower(p.email) = lower($1)"
        );
        command.Parameters.Add(new() { Value = email });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? Read(row) : null;
    }

    /// <summary>The person behind an account; null where there is none, or where the data was deleted.</summary>
    public async Task<Person?> FindAsync(AccountId account, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select p.account_id, p.email, p.created_at from people p where p.account_id = $1"
        );
        command.Parameters.Add(new() { Value = account.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? Read(row) : null;
    }

    /// <summary>
    /// The accounts whose id or whose address, without regard to case, is a text, in the order of ids: one of each at most, found by index however many accounts there are.
    /// </summary>
    public async Task<IReadOnlyList<AccountListing>> FindExactlyAsync(string query, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              a.account_id,
              (select p.email from people p where p.account_id = a.account_id),
              a.status,
              a.country,
              a.opened_at
            from accounts a
            where a.account_id = any(array(
              select $1
              union all
              select n.account_id
              from people n
              where lower(n.email) = lower($1)
            ))
            order by a.account_id
            """
        );
        command.Parameters.Add(new() { Value = query });
        return await ListAsync(command, ct);
    }

    /// <summary>
    /// Accounts whose id is, or whose address contains, a text (all where it is empty), in the order of ids after a cursor.
    /// </summary>
    public async Task<IReadOnlyList<AccountListing>> SearchAsync(string query, string after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              a.account_id,
              p.email,
              a.status,
              a.country,
              a.opened_at
            from accounts a
            left join people p on p.account_id = a.account_id
            where a.account_id > $2
              and ($1 = '' or a.account_id = $1 or position(lower($1) in lower(p.email)) > 0)
            order by a.account_id
            limit $3
            """
        );
        command.Parameters.Add(new() { Value = query });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = limit });
        return await ListAsync(command, ct);
    }

    private static async Task<IReadOnlyList<AccountListing>> ListAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var found = new List<AccountListing>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            found.Add(
                new(
                    new(rows.GetString(0)),
                    rows.IsDBNull(1) ? null : rows.GetString(1),
                    rows.GetString(2),
                    rows.IsDBNull(3) ? null : rows.GetString(3),
                    rows.GetFieldValue<DateTimeOffset>(4)
                )
            );
        }

        return found;
    }

    private static Person Read(NpgsqlDataReader row) => new(new(row.GetString(0)), row.GetString(1), row.GetFieldValue<DateTimeOffset>(2));
}

/// <summary>One line of a search for accounts.</summary>
/// <param name="Account">The account.</param>
/// <param name="Email">The address, where it is known.</param>
/// <param name="Status"><c>open</c> or <c>suspended</c>.</param>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
/// <param name="OpenedAt">When it was opened.</param>
public sealed record AccountListing(AccountId Account, string? Email, string Status, string? Country, DateTimeOffset OpenedAt);
