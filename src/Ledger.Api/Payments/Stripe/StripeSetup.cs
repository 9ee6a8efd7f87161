namespace Ledger.Api.Payments.Stripe;

/// <summary>Registers Stripe as the one who takes payments.</summary>
public static class StripeSetup
{
    /// <summary>The provider, and what its webhook needs beside the <see cref="PaymentDesk"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="options">The settings, checked.</param>
    public static IServiceCollection AddStripe(this IServiceCollection services, PaymentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.AddSingleton(provider => new StripeApi(
            options.Stripe,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<StripeApi>>()
        ));
        services.AddSingleton<IPaymentProvider>(provider => new StripeProvider(
            provider.GetRequiredService<StripeApi>(),
            options,
            provider.GetRequiredService<StripeLookup>()
        ));
        services.AddSingleton<StripeLookup>();
        services.AddSingleton(new StripeSignature(options.Stripe.WebhookSecrets));
        services.AddSingleton<StripeMetrics>();
        services.AddSingleton<StripeWebhook>();
        return services;
    }
}
