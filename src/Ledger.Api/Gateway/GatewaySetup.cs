using Ledger.Api.Application;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Providers;
using Ledger.Projections.Metering;

namespace Ledger.Api.Gateway;

/// <summary>Registers the metered gateway.</summary>
public static class GatewaySetup
{
    /// <summary>Providers, presets, and the calls that go to them.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configuration">Sections <c>Gateway</c> and <c>Providers</c>.</param>
    /// <param name="serveMissingBySandbox">Whether the sandbox answers for providers that are not configured.</param>
    /// <exception cref="Application.SettingsException">A setting cannot be used; the message names it.</exception>
    public static IServiceCollection AddGateway(this IServiceCollection services, IConfiguration configuration, bool serveMissingBySandbox)
    {
        services.AddGatewayProviders(configuration, serveMissingBySandbox);
        services.AddSingleton(GatewayOptions.From(configuration));
        services.AddSingleton<KeptAnswers>();
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton<CallDesk>();
        services.AddSingleton<CallRunner>();
        services.AddSingleton<AnswerKeeper>();
        services.AddHostedService(provider => provider.GetRequiredService<AnswerKeeper>());
        services.AddSingleton<LiveCalls>();
        services.AddHostedService(provider => provider.GetRequiredService<LiveCalls>());
        return services;
    }

    /// <summary>Says in the log which providers of the rate card nobody has configured; nothing where there is no card to read yet.</summary>
    public static void Announce(IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(services);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        if (services.GetRequiredService<LedgerService>().Book.InForce(now) is { } card)
            services.GetRequiredService<Upstreams>().Announce(card.Document);
    }
}
