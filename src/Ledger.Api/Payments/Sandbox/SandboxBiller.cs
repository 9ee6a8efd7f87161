using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.EventStore;
using Ledger.Projections.Payments;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ledger.Api.Payments.Sandbox;

/// <summary>
/// Bills the sandbox's subscriptions: when a paid period has ended, its next invoice is paid by the sandbox's card, or fails while that declines. What
/// is not paid for three days ends. One node does it at a time; two would only do the same twice.
/// </summary>
public sealed partial class SandboxBiller(
    PaymentDesk desk,
    LedgerService ledger,
    OrderQueries orders,
    SandboxCards cards,
    NpgsqlDataSource database,
    TimeProvider time,
    IOptions<PaymentOptions> options,
    ILogger<SandboxBiller> logger
) : BackgroundService
{
    private const int Batch = 200;

    /// <summary>How long an unpaid subscription is kept.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(3);

    /// <summary>Bills what is due, once, where no other node does.</summary>
    /// <returns>How many invoices were paid.</returns>
    public async Task<int> PassAsync(CancellationToken ct)
    {
        await using var turn = await SessionLock.TryTakeAsync(database, SessionLock.Of("sandbox biller"), ct);
        if (turn is null)
            return 0;
        var (paid, now) = (0, LedgerTime.Now(time));
        while (true)
        {
            // All of them, page by page: those that wait for a card must not hide those behind them.
            var moved = 0;
            for (RenewalDue? after = null; ; )
            {
                var due = await orders.FindRenewalsAsync(PaymentOptions.Sandbox, now, Batch, ct, after);
                foreach (var renewal in due)
                {
                    var outcome = await BillAsync(renewal, now, ct);
                    moved += outcome is null ? 0 : 1;
                    paid += outcome is true ? 1 : 0;
                }

                if (due.Count < Batch)
                    break;
                after = due[^1];
            }

            // Those that moved may have missed another period.
            if (moved == 0)
                return paid;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Provider != PaymentOptions.Sandbox || options.Value.SandboxInterval <= TimeSpan.Zero)
            return;
        using var timer = new PeriodicTimer(options.Value.SandboxInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (!ledger.IsRunning)
                    continue;
                try
                {
                    await PassAsync(stoppingToken);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // Whatever is left is due at the next pass too.
                    LogFault(logger, e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    /// <summary>Bills one period.</summary>
    /// <returns>True where it was paid, false where the subscription ended, null where it waits.</returns>
    private async Task<bool?> BillAsync(RenewalDue due, DateTimeOffset now, CancellationToken ct)
    {
        var account = (await ledger.ReadAsync(due.Account)).Account;
        var subscription = account.Subscription;
        if (!subscription.IsActive || subscription.Reference != due.Reference || subscription.PeriodEnd > now)
            return null;
        if (await cards.IsDecliningAsync(due.Account, ct))
        {
            if (now - subscription.PeriodEnd < Patience)
                return null;
            await ledger.ExecuteAsync(
                new EndSubscription(
                    due.Account,
                    EventIds.Derive(due.Account, "sandbox-unpaid", due.Reference),
                    false,
                    "unpaid",
                    PaymentOptions.Sandbox,
                    due.Reference
                ),
                Caller.System(RequestIds.Next())
            );
            return false;
        }

        var handled = await desk.HandleAsync(NextInvoice(due.Account, subscription), ct);
        return handled.Outcome is ProviderOutcome.Done ? true : null;
    }

    private static ProviderEvent.InvoicePaid NextInvoice(AccountId account, Subscription subscription)
    {
        var name = FormattableString.Invariant($"{subscription.Reference}_{subscription.Period + 1}");
        var terms = subscription.Next ?? subscription.Terms!;
        return new(
            "evt_test_" + name,
            "invoice.paid",
            default,
            new PaymentNotice(
                PaymentOptions.Sandbox,
                "in_test_" + name,
                "pi_test_" + name,
                terms.Price,
                PaymentNotice.OnlyCurrency,
                SandboxProvider.CustomerOf(account),
                subscription.Reference,
                subscription.PeriodEnd
            ),
            IsFirst: false
        );
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Billing the sandbox's subscriptions was cut short; the next pass goes on.")]
    private static partial void LogFault(ILogger logger, Exception fault);
}
