using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// Addresses at which a machine's own surroundings answer: link-local ones, and those at which clouds give out the
/// credentials of the machine that asks. No model is served there.
/// </summary>
internal static class GuardedAddresses
{
    // 100.100.100.200 Alibaba Cloud, 168.63.129.16 Azure, 192.0.0.192 Oracle Cloud, fd00:ec2::254 Amazon; all others are link-local.
    private static readonly IPAddress[] _metadata =
    [
        new([100, 100, 100, 200]), new([168, 63, 129, 16]), new([192, 0, 0, 192]), IPAddress.Parse("fd00:ec2::254"),
    ];

    public static bool Contain(IPAddress address)
    {
        address = Unwrap(address);
        return address.IsIPv6LinkLocal || IsLinkLocal(address) || Array.IndexOf(_metadata, address) >= 0;
    }

    // RFC 3927: 169.254.0.0/16.
    private static bool IsLinkLocal(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.AddressFamily == AddressFamily.InterNetwork && address.TryWriteBytes(bytes, out _) && bytes is [169, 254, ..];
    }

    // An IPv4 address may be written as an IPv6 one: ::ffff:a.b.c.d, ::a.b.c.d, and 64:ff9b::a.b.c.d (RFC 6052).
    private static IPAddress Unwrap(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || !address.TryWriteBytes(bytes, out _))
        {
            return address;
        }

        var (head, middle) = (BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));
        var isWrapped = head == 0 ? middle is 0xFFFF or 0 && bytes[12] != 0 : head == 0x0064_FF9B_0000_0000 && middle == 0;
        return isWrapped ? new IPAddress(bytes[12..]) : address;
    }
}
