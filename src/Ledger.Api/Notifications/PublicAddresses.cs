using System.Net;
using System.Net.Sockets;

namespace Ledger.Api.Notifications;

/// <summary>A webhook would have gone to where the public cannot.</summary>
/// <param name="message">Where.</param>
public sealed class AddressRefusedException(string message) : Exception(message);

/// <summary>
/// Connects to public addresses only. Customers choose where webhooks go, and this server stands in a network where much answers that is not meant for
/// them. Decided when the connection is made, over the addresses that it is made to: a name may lead anywhere, and elsewhere a moment later.
/// </summary>
/// <param name="allowsAll">Whether it connects to all others too.</param>
public sealed class PublicAddresses(bool allowsAll)
{
    // https://www.iana.org/assignments/iana-ipv4-special-registry; and Azure's 168.63.129.16, which answers every machine there as its host.
    private static readonly IPNetwork[] NotPublicV4 =
    [
        .. new[]
        {
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    // Of IPv6 only what is given out to the public is public: so loopback, link-local, unique-local, multicast and all forms that carry an IPv4 address
    // are not; least of all ::ffff:127.0.0.1.
    private static readonly IPNetwork PublicV6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] NotPublicV6 =
    [
        .. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" }.Select(IPNetwork.Parse),
    ];

    /// <summary>Whether an address is one that the public can reach.</summary>
    public static bool IsPublic(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !NotPublicV4.Any(network => network.Contains(address)),
            // By name: of these, IPNetwork compares the wrong bits.
            AddressFamily.InterNetworkV6 when address.IsIPv4MappedToIPv6 => false,
            AddressFamily.InterNetworkV6 => PublicV6.Contains(address) && !NotPublicV6.Any(network => network.Contains(address)),
            _ => false,
        };
    }

    /// <summary>Connects to a host at those of its addresses that are allowed.</summary>
    /// <exception cref="AddressRefusedException">None is.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(context);
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var all = await Dns.GetHostAddressesAsync(host, ct);
        var allowed = allowsAll ? all : [.. all.Where(IsPublic)];
        if (allowed.Length == 0)
            throw new AddressRefusedException(
                $"{host} is not at a public address ({string.Join(", ", all.Select(address => address.ToString()))})."
            );
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
