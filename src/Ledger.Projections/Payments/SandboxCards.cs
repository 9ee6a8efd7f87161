using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Payments;

/// <summary>Whose card the sandbox declines: the state of a payment provider that is part of this server, not of the ledger. A primary table.</summary>
/// <param name="database">Connections for reading and writing.</param>
public sealed class SandboxCards(NpgsqlDataSource database)
{
    /// <summary>Whether an account's card is declined; it works unless somebody said otherwise.</summary>
    public async Task<bool> IsDecliningAsync(AccountId account, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select c.declines
            from sandbox_cards c
            where c.account_id = $1
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        return await command.ExecuteScalarAsync(ct) is true;
    }

    /// <summary>Says whether an account's card is declined from now on.</summary>
    public async Task SetAsync(AccountId account, bool declines, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            insert into sandbox_cards (account_id, declines)
            values ($1, $2)
            on conflict (account_id) do update
            set declines = excluded.declines
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = declines });
        await command.ExecuteNonQueryAsync(ct);
    }
}
