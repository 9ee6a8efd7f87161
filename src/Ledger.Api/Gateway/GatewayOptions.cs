using Ledger.Api.Application;
using Ledger.Api.Http;

namespace Ledger.Api.Gateway;

/// <summary>How calls are carried, section <c>Gateway</c> of the configuration.</summary>
public sealed class GatewayOptions
{
    /// <summary>How long a hold lasts unless its call ends or extends it. So long after a crash the funds of its calls are free again.</summary>
    public TimeSpan HoldLifetime { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How often the holds of calls under way are looked at; zero for never. Those that last less than half their lifetime are extended.</summary>
    public TimeSpan HoldInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a provider is read on when the caller has gone.</summary>
    public TimeSpan ReadOn { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long calls under way may take when the server is told to stop.</summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Calls under way at once, those that are only read on included. Each keeps two connections, and until its answer begins its request's body; more are refused
    /// before anything is read or held.
    /// </summary>
    public int MaxCalls { get; set; } = 4000;

    /// <summary>
    /// The bodies of calls whose answers have not begun, in bytes, all together; more are refused before anything is read or held. What goes to the provider is
    /// about as much again.
    /// </summary>
    public long MaxBodyBytes { get; set; } = 512 * 1024 * 1024;

    /// <summary>The largest answer that is not streamed, in bytes.</summary>
    public int MaxAnswerBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>How long a repeat waits for the first of its name.</summary>
    public TimeSpan RepeatPatience { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Where the presets are; those beside the program where it is not set.</summary>
    public string? Presets { get; set; }

    /// <summary>
    /// What callers may ask for although it changes what a provider bills and has no price here: names of members, types of tools and beginnings of
    /// <c>anthropic-beta</c>, divided by commas or as a list. One that ends with <c>*</c> stands for all that begin like it.
    /// </summary>
    internal string Unpriced { get; set; } = "";

    /// <summary>Whether a caller may ask for something that has no price.</summary>
    public bool Allows(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (var allowed in Unpriced.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (allowed[^1] == '*' ? name.StartsWith(allowed[..^1], StringComparison.Ordinal) : name == allowed)
                return true;
        }

        return false;
    }

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static GatewayOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        GatewayOptions options;
        try
        {
            options = configuration.GetSection("Gateway").Get<GatewayOptions>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException(e.Message, e);
        }

        // A text, or a list in a file of settings.
        var unpriced = configuration.GetSection("Gateway:Unpriced");
        options.Unpriced = string.Join(',', unpriced.GetChildren().Select(child => child.Value).Prepend(unpriced.Value));

        if (options.HoldLifetime < TimeSpan.FromSeconds(10) || options.HoldLifetime > TimeSpan.FromHours(1))
            throw new SettingsException("Gateway:HoldLifetime must be from 10 seconds to an hour.");
        if (options.HoldInterval < TimeSpan.Zero || options.HoldInterval > options.HoldLifetime / 4)
            throw new SettingsException("Gateway:HoldInterval must be from 0 to a quarter of Gateway:HoldLifetime.");
        if (options.ReadOn < TimeSpan.Zero || options.ReadOn > TimeSpan.FromHours(1))
            throw new SettingsException("Gateway:ReadOn must be from 0 to an hour.");
        if (options.Drain < TimeSpan.Zero || options.Drain > TimeSpan.FromMinutes(10))
            throw new SettingsException("Gateway:Drain must be from 0 to 10 minutes.");
        if (options.MaxCalls is < 1 or > 1_000_000)
            throw new SettingsException("Gateway:MaxCalls must be from 1 to 1000000.");
        if (options.MaxBodyBytes < RequestBody.Max)
            throw new SettingsException($"Gateway:MaxBodyBytes must be at least {RequestBody.Max}.");
        if (options.MaxAnswerBytes < 1024 * 1024)
            throw new SettingsException("Gateway:MaxAnswerBytes must be at least 1048576.");
        if (options.RepeatPatience < TimeSpan.Zero || options.RepeatPatience > TimeSpan.FromMinutes(10))
            throw new SettingsException("Gateway:RepeatPatience must be from 0 to 10 minutes.");
        return options;
    }
}
