using Ledger.Api.Application;
using Ledger.Api.Application.Readers;
using Ledger.Api.Audit;
using Ledger.Api.Decisions;
using Ledger.Api.Keys;
using Ledger.Api.Pricing;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Ledger.Projections.Balances;
using Ledger.Projections.Journal;
using Ledger.Projections.Keys;
using Ledger.Projections.Payments;
using Ledger.Projections.Pricing;
using Ledger.Projections.Rebuild;
using Ledger.Projections.Referrals;
using Ledger.Projections.Refusals;
using Ledger.Projections.Usage;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Hosting;

/// <summary>Registers the parts of the ledger.</summary>
public static class LedgerSetup
{
    /// <summary>The log, the read models and their queries: what the command line needs too.</summary>
    public static IServiceCollection AddLedgerStore(this IServiceCollection services, LedgerDatabase database)
    {
        ArgumentNullException.ThrowIfNull(database);
        services.AddSingleton(database);
        services.AddSingleton(database.Connections);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IEventLog>(new NpgsqlEventLog(database.Connections, ReadModelMigrations.All));
        services.AddSingleton<AccountSnapshots>();
        services.AddSingleton<People>();
        services.AddSingleton<KeyQueries>();
        services.AddSingleton<DueAccounts>();
        services.AddSingleton<Trail>();
        services.AddSingleton<LogScan>();
        services.AddSingleton<SpendHistory>();
        services.AddSingleton<ActivityQueries>();
        services.AddSingleton<AccountJournal>();
        services.AddSingleton<JournalSums>();
        services.AddSingleton<ReferralCodes>();
        services.AddSingleton<RateCards>();
        services.AddSingleton<OrderQueries>();
        services.AddSingleton<CardGuard>();
        services.AddSingleton<RefusalRecords>();
        services.AddSingleton<WhatIf>();
        services.AddAuditStore();
        return services;
    }

    /// <summary>The write path on top of it, without anything that goes on by itself.</summary>
    public static IServiceCollection AddWritePath(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        services.AddSingleton(Options.Create(LedgerOptions.From(configuration)));
        services.AddSingleton<LedgerMetrics>();
        services.AddSingleton<RefusalBook>();
        services.AddSingleton<LedgerService>();
        services.AddSingleton<KeyDirectory>();
        return services;
    }

    /// <summary>A server's write path, and what goes on beside it.</summary>
    public static IServiceCollection AddLedger(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddWritePath(configuration);
        services.AddSingleton<KeyDesk>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<FirstRun>();
        services.AddHostedService<Startup>();

        // After the start-up, so that it stops before the write path does.
        services.AddSingleton<Sweep>();
        services.AddHostedService(provider => provider.GetRequiredService<Sweep>());
        services.AddSingleton<RefusalWriter>();
        services.AddHostedService(provider => provider.GetRequiredService<RefusalWriter>());
        services.AddSingleton<DecisionDesk>();
        services.AddSingleton<DriftCheck>();
        services.AddSingleton<LogFollower, DriftFollower>();
        services.AddSingleton<LogFollower, ReferralFollower>();
        services.AddSingleton<LogFollower, JournalFollower>();
        services.AddHostedService<ReaderHost>();
        services.AddAudit();
        return services;
    }
}
