using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;

namespace LlmProxy.Core.Authentication;

/// <summary>
/// Counts keys that are nobody's by the address that they come from, in a table that never grows: whoever tries many is told to wait.
/// It is asked only when a key was not found, so that no valid key is ever locked out, whoever else sends from its address.
/// </summary>
internal sealed class FailedAttempts(TimeProvider time)
{
    /// <summary>So many may come at once, and as many in each minute.</summary>
    public const int PerMinute = 20;

    private const int IntervalMs = 60_000 / PerMinute;
    private const int Ways = 4;
    private const int Sets = 1024;
    private const int Locks = 16;

    private readonly Slot[] _slots = new Slot[Sets * Ways];
    private readonly Lock[] _locks = [.. Enumerable.Range(0, Locks).Select(static _ => new Lock())];

    // Without it somebody could choose addresses that push each other out.
    private readonly ulong _seed = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8));

    /// <summary>Counts a failure.</summary>
    /// <param name="address">Of the client; null where it has none, as on a Unix socket: then nothing is counted.</param>
    /// <param name="retryAfterMs">How long it has to wait.</param>
    /// <returns>False if there were too many before it.</returns>
    public bool TryCount(IPAddress? address, out int retryAfterMs)
    {
        retryAfterMs = 0;
        if (address is null)
        {
            return true;
        }

        var name = NameOf(address);
        var set = (int)(name % Sets);
        var now = (long)(time.GetTimestamp() * 1000.0 / time.TimestampFrequency);
        lock (_locks[set % Locks])
        {
            ref var slot = ref Find(_slots.AsSpan(set * Ways, Ways), name);

            // Each failure is paid off in three seconds, one after the other.
            var free = Math.Max(slot.FreeAt, now);
            var wait = free - now - ((PerMinute - 1) * IntervalMs);
            if (wait > 0)
            {
                retryAfterMs = (int)wait;
                return false;
            }

            slot.FreeAt = free + IntervalMs;
            return true;
        }
    }

    /// <summary>The slot of that name, which may have to be taken from who has the least to pay off.</summary>
    private static ref Slot Find(Span<Slot> set, ulong name)
    {
        var least = 0;
        for (var i = 0; i < set.Length; i++)
        {
            if (set[i].Name == name)
            {
                return ref set[i];
            }

            least = set[i].FreeAt < set[least].FreeAt ? i : least;
        }

        set[least] = new Slot { Name = name };
        return ref set[least];
    }

    private ulong NameOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).TryWriteBytes(bytes, out var length);

        // Whoever has an IPv6 address has at least the 2^64 that share its first half.
        var mixed = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ _seed ^ (ulong)length;
        mixed = (mixed ^ (mixed >> 32)) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9;
        return (mixed ^ (mixed >> 32)) | (1UL << 63);
    }

    private struct Slot
    {
        public ulong Name;
        public long FreeAt;
    }
}
