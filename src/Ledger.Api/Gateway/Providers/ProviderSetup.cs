using Ledger.Api.Gateway.Presets;

namespace Ledger.Api.Gateway.Providers;

/// <summary>Registers whoever answers inference calls.</summary>
public static class ProviderSetup
{
    /// <summary>Adds <see cref="Upstreams"/>, <see cref="UpstreamRouter"/> and <see cref="PresetLibrary"/>.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configuration">Sections <c>Providers</c> and <c>Gateway</c>.</param>
    /// <param name="serveMissingBySandbox">
    /// Whether the sandbox answers for a provider that is not configured: with the embedded database, which is for trying things out.
    /// </param>
    /// <exception cref="Application.SettingsException">A setting cannot be used; the message names it.</exception>
    public static IServiceCollection AddGatewayProviders(
        this IServiceCollection services,
        IConfiguration configuration,
        bool serveMissingBySandbox
    )
    {
        var options = ProviderOptions.From(configuration);
        services.AddSingleton(PresetLibrary.From(configuration));
        services.AddSingleton<UpstreamMetrics>();
        services.AddSingleton(provider => new Upstreams(
            options,
            serveMissingBySandbox,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<Upstreams>>()
        ));
        services.AddSingleton(provider => new UpstreamRouter(
            provider.GetRequiredService<Upstreams>(),
            provider.GetRequiredService<UpstreamMetrics>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<UpstreamRouter>>()
        ));
        return services;
    }
}
