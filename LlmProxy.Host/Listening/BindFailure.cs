using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace LlmProxy.Host.Listening;

/// <summary>Says in one sentence why an address could not be listened on.</summary>
internal static class BindFailure
{
    public static bool IsPortInUse(Exception failure) => failure is AddressInUseException || failure.InnerException is AddressInUseException
        || Code(failure) == SocketError.AddressAlreadyInUse;

    /// <summary>The failure is about an address, not a fault of ours.</summary>
    public static bool IsOne(Exception failure) => IsPortInUse(failure)
        || Code(failure) is SocketError.AccessDenied or SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported;

    public static RefusedException Explain(Exception failure, ListenPlan plan)
    {
        var addresses = plan.Admin is null ? plan.Api : [.. plan.Api, plan.Admin];
        if (IsPortInUse(failure))
        {
            // The failure does not say which of several; the one that somebody listens on does.
            foreach (var address in addresses)
            {
                if (PortHolder.Find(address.Port) is { } holder)
                {
                    return Refused(address.ToString(), $"the port is in use by {holder}");
                }
            }

            return Refused(Join(addresses), "the port is in use by another program");
        }

        return Code(failure) switch
        {
            SocketError.AccessDenied => Refused(
                Join(addresses.Where(static address => address.Port is > 0 and < 1024)), "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)"),
            SocketError.AddressNotAvailable => Refused(Join(addresses), "this machine does not have that address"),
            _ => Refused(Join(addresses), "this machine does not speak that kind of address (IPv6)"),
        };
    }

    private static SocketError? Code(Exception failure) =>
        ((failure as SocketException) ?? (failure.InnerException as SocketException) ?? (failure.InnerException?.InnerException as SocketException))?.SocketErrorCode;

    private static string Join(IEnumerable<ListenAddress> addresses) => string.Join(" and ", addresses);

    private static RefusedException Refused(string addresses, string why) =>
        new($"Cannot listen on {addresses}: {why}. Choose another address with --urls or Listen.Api.");
}
