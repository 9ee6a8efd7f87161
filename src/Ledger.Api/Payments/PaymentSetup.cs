using Ledger.Api.Application.Readers;
using Ledger.Api.Payments.Sandbox;
using Ledger.Api.Payments.Stripe;
using Ledger.Projections.Payments;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Payments;

/// <summary>Registers who takes payments.</summary>
public static class PaymentSetup
{
    /// <summary>The desk, the provider that the configuration names, and what follows the log for it.</summary>
    public static IServiceCollection AddPayments(this IServiceCollection services, IConfiguration configuration)
    {
        var options = PaymentOptions.From(configuration);
        services.AddSingleton(Options.Create(options));
        services.AddSingleton<ProviderEvents>();
        services.AddSingleton<PaymentDesk>();
        services.AddSingleton<PaymentReconciliation>();
        services.AddSingleton<LogFollower, PaymentFollower>();
        if (options.Provider == PaymentOptions.Sandbox)
            services.AddSandbox();
        else
            services.AddStripe(options);
        return services;
    }

    private static void AddSandbox(this IServiceCollection services)
    {
        services.AddSingleton<SandboxCards>();
        services.AddSingleton<SandboxProvider>();
        services.AddSingleton<IPaymentProvider>(provider => provider.GetRequiredService<SandboxProvider>());
        services.AddSingleton<SandboxBiller>();
        services.AddHostedService(provider => provider.GetRequiredService<SandboxBiller>());
    }
}
