using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
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

    /// <summary>Keys with what they were charged and when they were last used, as they stand on the wire.</summary>
    public async Task<IReadOnlyList<KeyView>> ViewAsync(
        Account account,
        IReadOnlyList<Key> keys,
        CancellationToken ct,
        string? secret = null
    )
    {
        ArgumentNullException.ThrowIfNull(account);
        var now = LedgerTime.Later(time, account.LastAt);
        return
        [
            .. (await ListUseAsync(account, keys, ct)).Select(use =>
                KeyTranslation.ToView(use.Key, use.Usage, use.LastUsedAt, now, secret)
            ),
        ];
    }

    /// <summary>Keys with what they were charged and when they were last used.</summary>
    public async Task<IReadOnlyList<KeyUse>> ListUseAsync(Account account, IReadOnlyList<Key> keys, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Count == 0)
            return [];
        var now = LedgerTime.Later(time, account.LastAt);
        var usage = await queries.UsageAsync(account.Id, keys.Select(key => key.Id), DateOnly.FromDateTime(now.UtcDateTime), ct);
        var lastUsed = new Dictionary<KeyId, DateTimeOffset>(await uses.ListAsync(account.Id, ct));
        foreach (var (key, at) in directory.UsesOf(account.Id))
        {
            if (!(lastUsed.TryGetValue(key, out var later) && later >= at))
                lastUsed[key] = at;
        }

        return
        [
            .. keys.Select(key =>
            {
                var charged = usage.GetValueOrDefault(key.Id);
                return new KeyUse(key, charged, lastUsed.TryGetValue(key.Id, out var at) ? at : KeyTranslation.LastCharged(key, charged));
            }),
        ];
    }
}

/// <summary>What a key was used for.</summary>
/// <param name="Key">The key.</param>
/// <param name="Usage">What it was charged.</param>
/// <param name="LastUsedAt">When it was last used; null before the first time.</param>
public sealed record KeyUse(Key Key, KeyUsagePeriods Usage, DateTimeOffset? LastUsedAt)
{
    /// <summary>What it was charged since the first of the month, in each unit that it used.</summary>
    public IReadOnlyList<Amount> Month => Used(Usage.Month, Usage.MonthUsd);

    /// <summary>What it was charged ever, in each unit that it used.</summary>
    public IReadOnlyList<Amount> Total => Used(Usage.Total, Usage.TotalUsd);

    // A key that was used for dollars alone has not used "0 credits".
    private static List<Amount> Used(long credits, long usd)
    {
        List<Amount> used = [.. ((Amount[])[new(credits, Unit.Credits), new(usd, Unit.Usd)]).Where(amount => !amount.IsZero)];
        return used.Count > 0 ? used : [Amount.Zero(Unit.Credits)];
    }
}
