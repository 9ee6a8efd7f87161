using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Referrals;

/// <summary>Finds accounts by their referral codes.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class ReferralCodes(NpgsqlDataSource database)
{
    /// <summary>Whose code this is; null where it is nobody's.</summary>
    public async Task<AccountId?> FindAsync(string code, CancellationToken ct)
    {
        // Of two accounts with one code, which nobody will ever see, the same one is always found.
        await using var command = database.CreateCommand(
            """
            select
              a.account_id
            from accounts a
            where substr(encode(sha256(decode('referral:' || a.account_id, 'escape')), 'hex'), 1, 16) = $1
            order by a.opened_at, a.account_id
            limit 1
            """
        );
        command.Parameters.Add(new() { Value = code });
        return await command.ExecuteScalarAsync(ct) is string account ? new AccountId(account) : null;
    }
}
