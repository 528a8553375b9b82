using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// A 64-bit hash of bytes that may come in pieces: the same for the same bytes, however they are cut, in every process. Made for
/// speed, not for secrets: who works at it can make two texts collide.
/// </summary>
internal struct Fingerprint
{
    private const ulong First = 0x9E3779B97F4A7C15;
    private const ulong Second = 0xC2B2AE3D27D4EB4F;
    private const int Block = 16;

    private ulong _state;
    private ulong _low;
    private ulong _high;
    private long _length;

    /// <summary>Nothing was added.</summary>
    public readonly bool IsEmpty => _length == 0;

    /// <summary>The hash so far; never 0, which stands for none.</summary>
    public readonly ulong Value => Scatter(Fold(_state ^ _low ^ First, _high ^ Second) + (ulong)_length) is not 0 and var value ? value : 1;

    /// <summary>The hash of a text.</summary>
    public static ulong Of(ReadOnlySpan<char> text)
    {
        var print = new Fingerprint();
        print.Add(MemoryMarshal.AsBytes(text));
        return print.Value;
    }

    /// <summary>Two hashes in one; their order counts.</summary>
    public static ulong Join(ulong one, ulong other) => Scatter(Fold(one ^ First, other ^ Second) ^ one) is not 0 and var value ? value : 1;

    /// <summary>Spreads what is near to each other over all of 64 bits.</summary>
    public static ulong Scatter(ulong value) => Fold(Fold(value ^ Second, First) ^ value, Second);

    public void Add(ReadOnlySpan<byte> bytes)
    {
        var pending = (int)(_length % Block);
        _length += bytes.Length;
        if (pending > 0)
        {
            while (pending < Block && !bytes.IsEmpty)
            {
                Put(pending++, bytes[0]);
                bytes = bytes[1..];
            }

            if (pending < Block)
            {
                return;
            }

            Mix(_low, _high);
            _low = _high = 0;
        }

        while (bytes.Length >= Block)
        {
            Mix(BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
            bytes = bytes[Block..];
        }

        for (var i = 0; i < bytes.Length; i++)
        {
            Put(i, bytes[i]);
        }
    }

    private void Put(int at, byte value)
    {
        if (at < 8)
        {
            _low |= (ulong)value << (at * 8);
        }
        else
        {
            _high |= (ulong)value << ((at - 8) * 8);
        }
    }

    private void Mix(ulong low, ulong high) => _state = Fold(_state ^ low ^ First, high ^ Second) + First;

    private static ulong Fold(ulong one, ulong other) => Math.BigMul(one, other, out var low) ^ low;
}
