using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Core.Forwarding;

/// <summary>The proxy on the way out, as configured for an upstream.</summary>
internal static class EgressProxy
{
    /// <param name="configured"><c>Environment</c>, <c>None</c> or an address.</param>
    /// <param name="destination">The upstream. It never changes, so that whether it needs the proxy is decided once.</param>
    /// <returns>Null to go direct.</returns>
    public static IWebProxy? Create(string configured, Uri destination)
    {
        if (configured == "None")
        {
            return null;
        }

        if (configured != "Environment")
        {
            return new WebProxy(configured);
        }

        // The environment's proxy is meant for the internet: loopback and private addresses go direct.
        var proxy = HttpClient.DefaultProxy;
        return destination.IsLoopback || IsPrivate(destination) || proxy.IsBypassed(destination) || proxy.GetProxy(destination) is null
            ? null
            : proxy;
    }

    private static bool IsPrivate(Uri destination)
    {
        if (!IPAddress.TryParse(destination.Host.Trim('[', ']'), out var address))
        {
            return false;
        }

        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return address.IsIPv6UniqueLocal || address.IsIPv6LinkLocal;
        }

        Span<byte> bytes = stackalloc byte[4];
        return address.TryWriteBytes(bytes, out _)
            && (bytes[0] is 10 or 127
                || (bytes[0] == 172 && bytes[1] is >= 16 and <= 31)
                || (bytes[0] == 192 && bytes[1] == 168)
                || (bytes[0] == 169 && bytes[1] == 254));
    }
}
