using System.Buffers.Binary;
using System.Text;

namespace LlmProxy.Core.Accounting;

/// <summary>Writes values one behind the other, compactly; <see cref="RowReader"/> reads them. Stops silently where there is no more room.</summary>
internal ref struct RowWriter(Span<byte> output)
{
    private const int ShortText = 0x7F;

    private readonly Span<byte> _output = output;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Something did not fit.</summary>
    public bool IsFull { get; private set; }

    public void Byte(byte value)
    {
        if (Room(1))
        {
            _output[Length++] = value;
        }
    }

    /// <summary>Seven bits to a byte, small numbers first.</summary>
    public void Number(long value)
    {
        var rest = (ulong)value;
        while (rest >= 0x80)
        {
            Byte((byte)(rest | 0x80));
            rest >>= 7;
        }

        Byte((byte)rest);
    }

    /// <summary>A number from 0 on; null is 0, and all others one more.</summary>
    public void Count(long? value) => Number(value is >= 0 and { } known ? known + 1 : 0);

    public void Text(string? value)
    {
        if (value is null)
        {
            Byte(0);
            return;
        }

        // Nearly all are short and plain: one pass, with their length in one byte before them.
        if (value.Length < ShortText && Room(value.Length + 1)
            && Ascii.FromUtf16(value, _output[(Length + 1)..], out var plain) == System.Buffers.OperationStatus.Done)
        {
            _output[Length] = (byte)(plain + 1);
            Length += plain + 1;
            return;
        }

        var length = Encoding.UTF8.GetByteCount(value);
        Number(length + 1);
        if (Room(length))
        {
            Length += Encoding.UTF8.GetBytes(value, _output[Length..]);
        }
    }

    /// <summary>A text that is UTF-8 already; empty is null.</summary>
    public void Text(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            Byte(0);
            return;
        }

        Number(value.Length + 1);
        if (Room(value.Length))
        {
            value.CopyTo(_output[Length..]);
            Length += value.Length;
        }
    }

    public void Money(decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        if (Room(16))
        {
            foreach (var part in bits)
            {
                BinaryPrimitives.WriteInt32LittleEndian(_output[Length..], part);
                Length += sizeof(int);
            }
        }
    }

    private bool Room(int count)
    {
        IsFull |= _output.Length - Length < count;
        return !IsFull;
    }
}
