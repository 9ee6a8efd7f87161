using System.Net;
using Ledger.Api.Application;

namespace Ledger.Api.Access;

/// <summary>From where the ledger may be used, section <c>Access</c> of the configuration.</summary>
/// <param name="BlockedCountries">Countries whose accounts and callers are refused, ISO 3166-1 alpha-2.</param>
/// <param name="CountryHeader">The header in which a proxy says where a caller is; null for none.</param>
/// <param name="TrustedProxies">The networks whose word on callers is taken: their country, their address in <c>X-Forwarded-For</c>, and in <c>X-Forwarded-Proto</c> whether they came over TLS.</param>
public sealed record AccessOptions(IReadOnlySet<string> BlockedCountries, string? CountryHeader, IReadOnlyList<IPNetwork> TrustedProxies)
{
    /// <summary>Reads the settings. Lists are arrays, or texts with commas in between.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static AccessOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var section = configuration.GetSection("Access");
        var countries = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var country in List(section.GetSection("BlockedCountries")))
        {
            if (country.Length != 2 || !country.All(char.IsAsciiLetter))
                throw new SettingsException(
                    $"Access:BlockedCountries must be countries by two letters of ISO 3166-1, such as KP; '{country}' is none."
                );
            countries.Add(country);
        }

        var proxies = new List<IPNetwork>();
        foreach (var proxy in List(section.GetSection("TrustedProxies")))
        {
            if (IPAddress.TryParse(proxy, out var address))
                proxies.Add(new(address, address.GetAddressBytes().Length * 8));
            else if (IPNetwork.TryParse(proxy, out var network))
                proxies.Add(network);
            else
                throw new SettingsException(
                    $"Access:TrustedProxies must be addresses or networks, such as 10.0.0.0/8; '{proxy}' is neither."
                );
        }

        var header = section["CountryHeader"];
        return new(countries, string.IsNullOrWhiteSpace(header) ? null : header, proxies);
    }

    private static IEnumerable<string> List(IConfigurationSection section) =>
        section.Value is { } text
            ? text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : section.GetChildren().Select(child => child.Value ?? "");
}

/// <summary>Where callers are.</summary>
/// <param name="options">Whose word is taken, and who is refused.</param>
public sealed class Regions(AccessOptions options)
{
    /// <summary>Whether anybody is refused for where they are.</summary>
    public bool IsActive => options.BlockedCountries.Count > 0;

    /// <summary>Whether there are proxies whose word is taken.</summary>
    public bool HasProxies => options.TrustedProxies.Count > 0;

    /// <summary>Whether a trusted proxy says that the caller came to it over TLS, whatever it then speaks with this server.</summary>
    public bool IsSecure(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return IsTrusted(context.Connection.RemoteIpAddress)
            && string.Equals(context.Request.Headers["X-Forwarded-Proto"], "https", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether an account that is at home in a country is refused.</summary>
    public bool IsBlocked(string? country) => country is not null && options.BlockedCountries.Contains(country);

    /// <summary>Whether a caller is refused for where a trusted proxy says they are.</summary>
    public bool IsBlocked(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return IsActive
            && options.CountryHeader is { } header
            && IsTrusted(context.Connection.RemoteIpAddress)
            && IsBlocked(context.Request.Headers[header].ToString().Trim());
    }

    /// <summary>
    /// A caller's address: the last one in <c>X-Forwarded-For</c> that is not a trusted proxy's, where the connection comes from one; else the connection's.
    /// </summary>
    public string? AddressOf(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var address = context.Connection.RemoteIpAddress;
        if (!IsTrusted(address))
            return Text(address);
        var hops = context
            .Request.Headers["X-Forwarded-For"]
            .ToString()
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var hop in hops.Reverse())
        {
            if (!IPAddress.TryParse(hop, out var known))
                break;
            address = known;
            if (!IsTrusted(known))
                break;
        }

        return Text(address);
    }

    private static string? Text(IPAddress? address) =>
        (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();

    private bool IsTrusted(IPAddress? address)
    {
        if (address is null)
            return false;
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return options.TrustedProxies.Any(network => network.Contains(plain));
    }
}
