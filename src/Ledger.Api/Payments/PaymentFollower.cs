using Ledger.Api.Application;
using Ledger.Api.Application.Readers;
using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.EventStore;
using Ledger.Projections;

namespace Ledger.Api.Payments;

/// <summary>
/// Asks the payment provider for what the log says must be asked for: charges orders that the ledger opened by itself, and bills subscriptions by
/// what was decided about them. All of it may be asked twice.
/// </summary>
public sealed partial class PaymentFollower(PaymentDesk desk, LedgerService ledger, ILogger<PaymentFollower> logger) : LogFollower
{
    private const string Prefix = "account-";

    private static readonly string[] Cared =
    [
        LedgerEvents.Types.NameOf<OrderOpened>(),
        LedgerEvents.Types.NameOf<SubscriptionChanged>(),
        LedgerEvents.Types.NameOf<SubscriptionChangeScheduled>(),
        LedgerEvents.Types.NameOf<SubscriptionKept>(),
        LedgerEvents.Types.NameOf<SubscriptionEndScheduled>(),
        LedgerEvents.Types.NameOf<SubscriptionEnded>(),
    ];

    /// <inheritdoc/>
    public override string Name => "payments";

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Types => Cared;

    /// <summary>Few at a time: what follows a fault is asked for again from the page's beginning.</summary>
    public override int Page => 500;

    /// <inheritdoc/>
    public override async Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        foreach (var stored in page)
        {
            var account = new AccountId(stored.StreamId[Prefix.Length..]);
            try
            {
                await HandleAsync(account, stored, ct);
            }
            catch (PaymentProviderException fault) when (fault.IsFinal)
            {
                // It would be refused for ever; what follows in the log must not wait for it.
                LogRefused(logger, stored.Type, account.Value, fault);
            }
            catch (Exception fault) when (IsItsOwn(fault))
            {
                // One account's trouble, such as a history that a newer server wrote, must not keep the others' cards from being charged.
                LogBroken(logger, stored.Type, account.Value, fault);
            }
        }
    }

    private async Task HandleAsync(AccountId account, StoredEvent stored, CancellationToken ct)
    {
        switch (LedgerEvents.Types.Read(stored))
        {
            case OrderOpened { IsAutomatic: true } e:
                await desk.ChargeAsync(account, e.Order, ct);
                break;

            // What counts is what is agreed to now: what was decided in between is over.
            case SubscriptionChanged
            or SubscriptionChangeScheduled
            or SubscriptionKept
            or SubscriptionEndScheduled:
                await AlignAsync(account, stored.Id, ct);
                break;

            // Another one may have taken its place; this one must not be billed any more.
            case SubscriptionEnded e when await ReferenceOfAsync(account, e.Subscription, ct) is { } reference:
                await desk.Provider.EndSubscriptionAsync(reference, atPeriodEnd: false, ct);
                break;
            default:
                break;
        }
    }

    /// <summary>Whether a fault is this account's alone: neither an outage nor a provider that is away, for which all must wait.</summary>
    private static bool IsItsOwn(Exception fault) =>
        fault is not (PaymentProviderException or LedgerUnavailableException or OperationCanceledException) && !Outage.Is(fault);

    private async Task AlignAsync(AccountId account, Guid change, CancellationToken ct)
    {
        var subscription = (await ledger.ReadAsync(account)).Account.Subscription;
        if (!subscription.IsActive || subscription.Provider != desk.Provider.Name || subscription.Reference is not { } reference)
            return;
        if (subscription.EndsAt is not null)
        {
            await desk.Provider.EndSubscriptionAsync(reference, atPeriodEnd: true, ct);
            return;
        }

        await desk.Provider.KeepSubscriptionAsync(reference, ct);
        await desk.Provider.ChangeSubscriptionAsync(reference, subscription.Next ?? subscription.Terms!, change, ct);
    }

    /// <summary>The provider's name for a subscription that may not be the account's last one any more.</summary>
    private async Task<string?> ReferenceOfAsync(AccountId account, SubscriptionId id, CancellationToken ct)
    {
        var started = await ledger.FindAsync(account, id.Value, ct);
        return started?.Event is SubscriptionStarted e && e.Provider == desk.Provider.Name ? e.Reference : null;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What {Type} of account {Account} asks for could not be done; it is passed over.")]
    private static partial void LogBroken(ILogger logger, string type, string account, Exception fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "The payment provider refused what {Type} of account {Account} asks for.")]
    private static partial void LogRefused(ILogger logger, string type, string account, Exception fault);
}
