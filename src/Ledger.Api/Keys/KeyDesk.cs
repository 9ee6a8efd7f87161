using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Projections.Access;
using Ledger.Projections.Keys;

namespace Ledger.Api.Keys;

/// <summary>What every dialect that manages keys does with them: shows them, and makes new secrets.</summary>
public sealed class KeyDesk(KeyQueries queries, KeyUses uses, KeyDirectory directory, IConfiguration configuration, TimeProvider time)
{
    private readonly string _prefix = KeyPrefix.Of(configuration);

    /// <summary>A new secret.</summary>
    public KeySecret NewSecret() => KeySecret.Create(_prefix);

    /// <summary>An account's keys, oldest first.</summary>
    /// <param name="account">The account.</param>
    /// <param name="revoked">Whether revoked ones are among them.</param>
    public static IReadOnlyList<Key> KeysOf(Account account, bool revoked)
    {
        ArgumentNullException.ThrowIfNull(account);
        return
        [
            .. account
                .Keys.Keys.Values.Where(key => revoked || key.RevokedAt is null)
                .OrderBy(key => key.CreatedAt)
                .ThenBy(key => key.Id.Value, StringComparer.Ordinal),
        ];
    }

    /// <summary>Keys with what they were charged and when they were last used.</summary>
    public async Task<IReadOnlyList<KeyView>> ViewAsync(
        Account account,
        IReadOnlyList<Key> keys,
        CancellationToken ct,
        string? secret = null
    )
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Count == 0)
            return [];
        var now = LedgerTime.Later(time, account.LastAt);
        var usage = await queries.UsageAsync(account.Id, DateOnly.FromDateTime(now.UtcDateTime), ct);
        var lastUsed = new Dictionary<KeyId, DateTimeOffset>(await uses.ListAsync(account.Id, ct));
        foreach (var (key, at) in directory.UsesOf(account.Id))
        {
            if (!(lastUsed.TryGetValue(key, out var later) && later >= at))
                lastUsed[key] = at;
        }

        return
        [
            .. keys.Select(key =>
                KeyTranslation.ToView(
                    key,
                    usage.GetValueOrDefault(key.Id),
                    lastUsed.TryGetValue(key.Id, out var at) ? at : null,
                    now,
                    secret
                )
            ),
        ];
    }
}
