using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace LlmProxy.Core.Accounting;

/// <summary>Writes values one behind the other, compactly; <see cref="RowReader"/> reads them. Stops silently where there is no more room.</summary>
internal ref struct RowWriter(Span<byte> output)
{
    private const int ShortText = 0x7F;

    private Span<byte> _output = output;

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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Number(long value)
    {
        // Most are lengths and small counts: one byte.
        var at = Length;
        if ((ulong)value < 0x80 && (uint)at < (uint)_output.Length)
        {
            _output[at] = (byte)value;
            Length = at + 1;
            return;
        }

        LongNumber((ulong)value);
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
        var free = _output[Length..];
        if (value.Length < ShortText && value.Length < free.Length && Ascii.FromUtf16(value, free[1..], out var plain) == OperationStatus.Done)
        {
            free[0] = (byte)(plain + 1);
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

    /// <summary>What has been written before.</summary>
    public void Bytes(ReadOnlySpan<byte> written)
    {
        if (Room(written.Length))
        {
            written.CopyTo(_output[Length..]);
            Length += written.Length;
        }
    }

    /// <summary>What has been written since some place.</summary>
    public readonly ReadOnlySpan<byte> From(int place) => _output[place..Length];

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

    private void LongNumber(ulong rest)
    {
        var free = _output[Length..];
        var count = 0;
        for (; rest >= 0x80 && count < free.Length; rest >>= 7)
        {
            free[count++] = (byte)(rest | 0x80);
        }

        Length += count;
        Byte((byte)rest);
    }

    private bool Room(int count)
    {
        if (_output.Length - Length >= count)
        {
            return true;
        }

        // Nothing smaller behind it either: it would be read in the place of what is missing.
        IsFull = true;
        _output = _output[..Length];
        return false;
    }
}
