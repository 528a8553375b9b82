using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmProxy.Host.Listening;

/// <summary>One address to listen on, as written by an operator.</summary>
internal sealed class ListenAddress
{
    private enum Reach
    {
        Single,
        Localhost,
        Any,
    }

    private readonly Reach _reach;
    private readonly IPAddress _address;

    private ListenAddress(bool isTls, Reach reach, IPAddress address, int port)
    {
        IsTls = isTls;
        _reach = reach;
        _address = address;
        Port = port;
    }

    public bool IsTls { get; }

    /// <summary>0 for whichever is free.</summary>
    public int Port { get; }

    public bool IsLoopback => _reach == Reach.Localhost || (_reach == Reach.Single && IPAddress.IsLoopback(_address));

    /// <summary>Reads an address.</summary>
    /// <param name="text">What was written, for example <c>https://0.0.0.0:8443</c>.</param>
    /// <param name="where">What it was written in, to say so.</param>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static ListenAddress Parse(string text, string where)
    {
        BindingAddress parsed;
        try
        {
            parsed = BindingAddress.Parse(text.Trim());
        }
        catch (FormatException)
        {
            throw Wrong(text, where, "is not an address");
        }

        var isTls = string.Equals(parsed.Scheme, "https", StringComparison.OrdinalIgnoreCase);
        if (!isTls && !string.Equals(parsed.Scheme, "http", StringComparison.OrdinalIgnoreCase))
        {
            throw Wrong(text, where, "does not begin with http:// or https://");
        }

        if (parsed.IsUnixPipe || parsed.IsNamedPipe || parsed.PathBase.Length > 0)
        {
            throw Wrong(text, where, "has more than a scheme, an address and a port");
        }

        if (parsed.Port is < IPEndPoint.MinPort or > IPEndPoint.MaxPort)
        {
            throw Wrong(text, where, "has no port between 0 and 65535");
        }

        return parsed.Host switch
        {
            "*" or "+" => new ListenAddress(isTls, Reach.Any, IPAddress.IPv6Any, parsed.Port),
            "localhost" => new ListenAddress(isTls, Reach.Localhost, IPAddress.Loopback, parsed.Port),
            // A name is not resolved: which of its addresses it means could change from start to start.
            _ => IPAddress.TryParse(parsed.Host, out var address)
                ? new ListenAddress(isTls, Reach.Single, address, parsed.Port)
                : throw Wrong(text, where, "names a host: give an IP address, localhost, or * for all"),
        };
    }

    public ListenAddress WithPort(int port) => new(IsTls, _reach, _address, port);

    public void Bind(KestrelServerOptions kestrel, Action<ListenOptions> configure)
    {
        switch (_reach)
        {
            case Reach.Any:
                kestrel.ListenAnyIP(Port, configure);
                break;
            // The server cannot pick one free port for both families.
            case Reach.Localhost when Port != 0:
                kestrel.ListenLocalhost(Port, configure);
                break;
            default:
                kestrel.Listen(_address, Port, configure);
                break;
        }
    }

    public override string ToString()
    {
        var host = _reach switch
        {
            Reach.Any => "*",
            Reach.Localhost => "localhost",
            _ => _address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{_address}]" : _address.ToString(),
        };
        return $"{(IsTls ? "https" : "http")}://{host}:{Port}";
    }

    private static RefusedException Wrong(string text, string where, string what) =>
        new($"{where}: \"{Terminal.Visible.Line(text)}\" {what}. Write it like http://127.0.0.1:8000");
}
