using System.Collections.Frozen;
using Ledger.Api.Application;
using Ledger.Api.Application.Readers;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Notifications;

/// <summary>
/// Writes down what accounts are to be told of what happened to them, once per event and channel, for the sender to send. Accounts that want to be told
/// nowhere cost a look for their target, and no more.
/// </summary>
public sealed partial class NotificationFollower(
    LedgerService ledger,
    NotificationTargetRows targets,
    Deliveries deliveries,
    Wakeup wakeup,
    NotificationOptions options,
    TimeProvider time,
    ILogger<NotificationFollower> logger
) : LogFollower
{
    private const string Prefix = "account-";
    private const int ReadsAtOnce = 100;
    private static readonly FrozenSet<string> Cared = Notice.Sources.ToFrozenSet(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override string Name => "notifications";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => Notice.Sources;

    /// <inheritdoc/>
    public override TimeSpan Pause => options.Interval;

    /// <inheritdoc/>
    public override async Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        var told = page.Where(stored => Cared.Contains(stored.Type)).Select(stored => (Event: stored, Account: AccountOf(stored))).ToList();
        if (told.Count == 0)
            return;
        var wanted = (await targets.ListAsync([.. told.Select(one => one.Account).Distinct()], ct)).ToDictionary(target => target.Account);
        if (wanted.Count == 0)
            return;

        var accounts = await ReadAsync(wanted.Keys, ct);
        var now = LedgerTime.Now(time);
        var added = new List<Delivery>();
        foreach (var (stored, account) in told)
        {
            if (!wanted.TryGetValue(account, out var target) || Notice.Of(stored, account, accounts[account]) is not { } notice)
                continue;
            if (target.Url is not null)
                added.Add(DeliveryOf(stored, account, notice.Type, DeliveryChannel.Webhook, notice.Body, now));
            if (target.ByMail && notice.Letter is not null)
                added.Add(DeliveryOf(stored, account, notice.Type, DeliveryChannel.Email, notice.Letter, now));
        }

        if (await deliveries.AddAsync(added, ct) > 0)
            wakeup.Ring();
    }

    private static AccountId AccountOf(StoredEvent stored) => new(stored.StreamId[Prefix.Length..]);

    private static Delivery DeliveryOf(
        StoredEvent stored,
        AccountId account,
        string type,
        DeliveryChannel channel,
        string body,
        DateTimeOffset now
    ) =>
        new(
            Notice.DeliveryId(stored.Id, channel),
            account,
            channel,
            stored.Position,
            stored.Id,
            type,
            body,
            DeliveryState.Waiting,
            0,
            now,
            now,
            null,
            null,
            null,
            now
        );

    /// <summary>The state of accounts: what their events do not say, such as what an order was for.</summary>
    private async Task<Dictionary<AccountId, Account?>> ReadAsync(IReadOnlyCollection<AccountId> accounts, CancellationToken ct)
    {
        var found = new Dictionary<AccountId, Account?>();
        foreach (var some in accounts.Chunk(ReadsAtOnce))
        {
            // At once: all that are asked for together are confirmed by one small query.
            var read = await Task.WhenAll(some.Select(account => ReadAsync(account))).WaitAsync(ct);
            foreach (var (account, state) in read)
                found.Add(account, state);
        }

        return found;
    }

    private async Task<(AccountId Id, Account? State)> ReadAsync(AccountId account)
    {
        try
        {
            return (account, (await ledger.ReadAsync(account)).Account);
        }
        catch (Exception fault) when (fault is not LedgerUnavailableException && !Outage.Is(fault))
        {
            // A history that cannot be folded, such as one that a newer server goes on with. The others must not wait for it, and what the events
            // themselves say can be told.
            LogUnreadable(logger, account.Value, fault);
            return (account, null);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Account {Account} cannot be read; it is told of its events without their circumstances."
    )]
    private static partial void LogUnreadable(ILogger logger, string account, Exception fault);
}
