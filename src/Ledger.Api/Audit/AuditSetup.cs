using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;

namespace Ledger.Api.Audit;

/// <summary>Registers checkpoints, receipts and audits.</summary>
internal static class AuditSetup
{
    /// <summary>What the command line needs too. Checks run in the order in which they are registered.</summary>
    public static IServiceCollection AddAuditStore(this IServiceCollection services)
    {
        services.AddSingleton<LogCheckpoints>();
        services.AddSingleton<CheckpointKeyRing>();
        services.AddSingleton(provider => new CheckpointFile(
            CheckpointPublisher.PathOf(
                LedgerOptions.From(provider.GetRequiredService<IConfiguration>()),
                provider.GetRequiredService<LedgerDatabase>()
            )
        ));
        services.AddSingleton<IAuditCheck, CheckpointCheck>();
        services.AddSingleton<IAuditCheck, StreamCheck>();
        services.AddSingleton<IAuditCheck, ReadModelCheck>();
        services.AddSingleton<IAuditCheck, TrialBalanceCheck>();
        services.AddSingleton<Auditor>();
        return services;
    }

    /// <summary>The publisher of checkpoints, receipts, and audits on demand.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services)
    {
        services.AddSingleton<CheckpointPublisher>();
        services.AddHostedService(provider => provider.GetRequiredService<CheckpointPublisher>());
        services.AddSingleton<ReceiptDesk>();
        services.AddSingleton<AuditDesk>();
        return services;
    }
}
