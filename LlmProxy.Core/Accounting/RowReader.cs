using System.Buffers.Binary;
using System.Text;

namespace LlmProxy.Core.Accounting;

/// <summary>Reads what <see cref="RowWriter"/> wrote.</summary>
/// <param name="input">One row.</param>
/// <param name="known">The texts of the row before; null: each is made anew.</param>
internal ref struct RowReader(ReadOnlySpan<byte> input, KnownTexts? known)
{
    private readonly KnownTexts? _known = known;
    private ReadOnlySpan<byte> _rest = input;
    private int _texts;

    public byte Byte() => Take(1)[0];

    public long Number()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return (long)value;
            }
        }

        throw new InvalidDataException("A number of a row has no end.");
    }

    public long? Count() => Number() is > 0 and var value ? value - 1 : null;

    public string? Text()
    {
        var place = _texts++;
        if (Number() is not (> 0 and var length))
        {
            return null;
        }

        var bytes = Take(length - 1);
        return _known is null ? Encoding.UTF8.GetString(bytes) : _known.Of(place, bytes);
    }

    public decimal Money()
    {
        Span<int> bits = stackalloc int[4];
        var bytes = Take(16);
        for (var i = 0; i < bits.Length; i++)
        {
            bits[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        }

        return new decimal(bits);
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > _rest.Length)
        {
            throw new InvalidDataException("A row is shorter than it says.");
        }

        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}

/// <summary>
/// The texts of the last row, by their place: most of the next one's are the same, and what is the same need be neither made
/// anew nor told to a database anew.
/// </summary>
internal sealed class KnownTexts
{
    // Those of attempts come after all others; few rows have any.
    private readonly string?[] _texts = new string?[16];

    public string Of(int place, ReadOnlySpan<byte> bytes)
    {
        if (place >= _texts.Length)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        if (_texts[place] is { } text && text.Length == bytes.Length && Ascii.Equals(bytes, text))
        {
            return text;
        }

        return _texts[place] = Encoding.UTF8.GetString(bytes);
    }
}
