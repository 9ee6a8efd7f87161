using System.Globalization;
using Ledger.Api.Application;

namespace Ledger.Api.Gateway.Providers;

/// <summary>What a provider is.</summary>
public enum ProviderKind
{
    /// <summary>Whoever speaks OpenAI's chat completions.</summary>
    OpenAi,

    /// <summary>Whoever speaks Anthropic's messages.</summary>
    Anthropic,

    /// <summary>The deterministic model that is part of this server.</summary>
    Sandbox,
}

/// <summary>How one provider is reached, section <c>Providers:&lt;name&gt;</c> of the configuration. Not a record: its key must not be printed.</summary>
public sealed class ProviderOptions
{
    /// <summary>The name of the provider that needs no configuration.</summary>
    public const string SandboxName = "sandbox";

    private static readonly string[] Settings =
    [
        "Kind",
        "BaseUrl",
        "ApiKey",
        "TimeoutSeconds",
        "IdleSeconds",
        "Retries",
        "DelayMilliseconds",
    ];

    /// <summary>What the rate card names it.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public required ProviderKind Kind { get; init; }

    /// <summary>Where it is, without a slash at the end: OpenAI's with <c>/v1</c>, Anthropic's without; null for the sandbox.</summary>
    public Uri? BaseUrl { get; init; }

    /// <summary>Our key there; empty where it wants none.</summary>
    internal string ApiKey { get; init; } = "";

    /// <summary>How long the first byte of an answer may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>How long it may take from one byte to the next.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How often a request that may pass is tried again before the next entry of the chain is.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>How long the sandbox's model <c>slow</c> takes for a word.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Reads the settings of every provider, by name without regard to case: environment variables have none of their own.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it, and never shows a key.</exception>
    public static IReadOnlyDictionary<string, ProviderOptions> From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return configuration
            .GetSection("Providers")
            .GetChildren()
            .Select(Read)
            .ToDictionary(options => options.Name, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The sandbox under the name of a provider that has no configuration.</summary>
    internal static ProviderOptions SandboxFor(string name) => new() { Name = name, Kind = ProviderKind.Sandbox };

    private static ProviderOptions Read(IConfigurationSection section)
    {
        // A misspelt setting would be a default that nobody chose.
        if (section.GetChildren().FirstOrDefault(child => !Settings.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw new SettingsException($"{unknown.Path} is not a setting of a provider; there are {string.Join(", ", Settings)}.");
        var kind = section["Kind"]?.ToUpperInvariant() switch
        {
            "OPENAI" => ProviderKind.OpenAi,
            "ANTHROPIC" => ProviderKind.Anthropic,
            "SANDBOX" => ProviderKind.Sandbox,
            _ => throw new SettingsException($"{section.Path}:Kind must be openai, anthropic or sandbox."),
        };
        return new()
        {
            Name = section.Key,
            Kind = kind,
            BaseUrl = kind == ProviderKind.Sandbox ? null : Address(section, kind),
            ApiKey = kind == ProviderKind.Sandbox ? "" : Key(section),
            Timeout = Seconds(section, "TimeoutSeconds", 600),
            Idle = Seconds(section, "IdleSeconds", 120),
            Retries = (int)Number(section, "Retries", 2, 0, 10),
            Delay = TimeSpan.FromMilliseconds(Number(section, "DelayMilliseconds", 200, 0, 60_000)),
        };
    }

    private static Uri Address(IConfigurationSection section, ProviderKind kind)
    {
        var text = section["BaseUrl"];
        if (string.IsNullOrEmpty(text))
            return new(kind == ProviderKind.OpenAi ? "https://api.openai.com/v1" : "https://api.anthropic.com");
        var isAddress =
            Uri.TryCreate(text.TrimEnd('/'), UriKind.Absolute, out var address)
            && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
            && address is { UserInfo: "", Query: "", Fragment: "" };
        if (!isAddress)
            throw new SettingsException($"{section.Path}:BaseUrl must be an http or https address without user, query or fragment.");

        // As copied from the other client's documentation: the route would be /v1/v1/messages, and every answer a 404.
        if (kind == ProviderKind.Anthropic && address!.AbsolutePath.EndsWith("/v1", StringComparison.Ordinal))
            throw new SettingsException($"{section.Path}:BaseUrl must not end in /v1 where Kind is anthropic: the route adds it.");
        return address!;
    }

    private static string Key(IConfigurationSection section)
    {
        var key = section["ApiKey"] ?? "";
        if (key.Any(c => c is <= ' ' or > '~'))
            throw new SettingsException($"{section.Path}:ApiKey must be one word of visible ASCII characters.");

        // A server of one's own may want no key; the official ones do.
        if (key.Length == 0 && string.IsNullOrEmpty(section["BaseUrl"]))
            throw new SettingsException($"{section.Path}:ApiKey must be set where {section.Path}:BaseUrl is not.");
        return key;
    }

    private static TimeSpan Seconds(IConfigurationSection section, string name, double or) =>
        TimeSpan.FromSeconds(Number(section, name, or, 0.001, 86_400));

    private static double Number(IConfigurationSection section, string name, double or, double least, double most)
    {
        var text = section[name];
        if (string.IsNullOrEmpty(text))
            return or;
        var isWhole = least is 0;
        return
            double.TryParse(
                text,
                isWhole ? NumberStyles.None : NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out var number
            )
            && number >= least
            && number <= most
            ? number
            : throw new SettingsException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{section.Path}:{name} must be a {(isWhole ? "whole number" : "number")} from {least} to {most}."
                )
            );
    }
}
