using Ledger.Api.Application;

namespace Ledger.Api.Notifications;

/// <summary>How accounts are told what happens to them, section <c>Notifications</c> of the configuration.</summary>
public sealed class NotificationOptions
{
    /// <summary>How often it is looked for something to tell; zero for never on this node.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long one request or letter may take.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many are sent at once; of those that failed before, half as many.</summary>
    public int Parallel { get; set; } = 32;

    /// <summary>For how many days it is kept what was delivered.</summary>
    public int KeepDays { get; set; } = 30;

    /// <summary>
    /// Whether webhooks may go to addresses that are not public, such as this machine; where it is not set, only a server with its embedded database,
    /// which is for trying things out, sends them there.
    /// </summary>
    public bool? AllowPrivateNetworks { get; set; }

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static NotificationOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        NotificationOptions options;
        try
        {
            options = configuration.GetSection("Notifications").Get<NotificationOptions>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException(e.Message, e);
        }

        if (options.Interval < TimeSpan.Zero)
            throw new SettingsException("Notifications:Interval must not be negative.");
        if (options.Timeout <= TimeSpan.Zero || options.Timeout > TimeSpan.FromMinutes(2))
            throw new SettingsException("Notifications:Timeout must be positive and at most 2 minutes.");
        if (options.Parallel is < 1 or > 1000)
            throw new SettingsException("Notifications:Parallel must be from 1 to 1000.");
        if (options.KeepDays is < 1 or > 3650)
            throw new SettingsException("Notifications:KeepDays must be from 1 to 3650.");
        return options;
    }
}
