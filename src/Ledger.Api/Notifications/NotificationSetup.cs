using Ledger.Api.Application.Readers;
using Ledger.Api.Hosting;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Notifications;

/// <summary>Registers how accounts are told what happens to them.</summary>
public static class NotificationSetup
{
    /// <summary>Targets, the reader of the log that writes down what is to be told, and the sender that tells it.</summary>
    public static IServiceCollection AddNotifications(this IServiceCollection services, IConfiguration configuration)
    {
        var options = NotificationOptions.From(configuration);
        services.AddSingleton(options);
        services.AddSingleton<NotificationTargetRows>();
        services.AddSingleton<Deliveries>();
        services.AddSingleton<Wakeup>();
        services.AddSingleton<NotificationTargets>();
        services.AddSingleton(provider => new PublicAddresses(
            options.AllowPrivateNetworks ?? provider.GetRequiredService<LedgerDatabase>().IsEmbedded
        ));
        services.AddSingleton<WebhookClient>();
        services.AddSingleton<LogFollower, NotificationFollower>();
        services.AddSingleton<NotificationSender>();
        services.AddHostedService(provider => provider.GetRequiredService<NotificationSender>());
        return services;
    }
}
