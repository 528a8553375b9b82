using System.Net;
using System.Net.Sockets;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Opens connections to one upstream. The addresses are looked at here and not when the configuration is read: a name may lead
/// elsewhere tomorrow, on purpose.
/// </summary>
/// <param name="allowsLinkLocal">As configured for the upstream.</param>
/// <param name="resolve">The addresses of a name.</param>
internal sealed class UpstreamConnector(bool allowsLinkLocal, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
    public UpstreamConnector(bool allowsLinkLocal)
        : this(allowsLinkLocal, Dns.GetHostAddressesAsync)
    {
    }

    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var stream = await ConnectAsync(context.DnsEndPoint, cancellation);
        Attempt.Of(context.InitialRequestMessage)?.NoteConnected();
        return stream;
    }

    /// <exception cref="GuardedAddressException">The name leads to nothing but such addresses.</exception>
    public async ValueTask<Stream> ConnectAsync(DnsEndPoint endPoint, CancellationToken cancellation)
    {
        var addresses = await resolve(endPoint.Host, cancellation);
        if (!allowsLinkLocal && addresses.Any(GuardedAddresses.Contain))
        {
            addresses = [.. addresses.Where(address => !GuardedAddresses.Contain(address))];
            if (addresses.Length == 0)
            {
                throw new GuardedAddressException();
            }
        }

        for (var i = 0; ; i++)
        {
            // Of the address's own family: one that could take both keeps every address twice, for as long as its connection lives.
            Socket? socket = null;
            try
            {
                socket = new Socket(addresses[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(new IPEndPoint(addresses[i], endPoint.Port), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException) when (i + 1 < addresses.Length && !cancellation.IsCancellationRequested)
            {
                // Its next address, then.
                socket?.Dispose();
            }
            catch
            {
                socket?.Dispose();
                throw;
            }
        }
    }
}

/// <summary>An upstream's name leads to an address that is not asked.</summary>
internal sealed class GuardedAddressException() : IOException("The upstream's address is link-local or a cloud's metadata service. If that is meant, set AllowLinkLocal.");
