using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace LlmProxy.Core.Accounting;

/// <summary>Reads what <see cref="RowWriter"/> wrote.</summary>
/// <param name="input">One row.</param>
/// <param name="known">What rows before had; null: all is made anew.</param>
internal ref struct RowReader(ReadOnlySpan<byte> input, KnownTexts? known)
{
    private const int LongestNumber = 10;

    private readonly KnownTexts? _known = known;
    private readonly ReadOnlySpan<byte> _input = input;
    private int _at;
    private int _texts;

    public byte Byte() => Take(1)[0];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Number()
    {
        // Most are lengths and small counts: one byte.
        var at = _at;
        if ((uint)at < (uint)_input.Length && _input[at] is < 0x80 and var small)
        {
            _at = at + 1;
            return small;
        }

        return LongNumber();
    }

    public long? Count() => Number() is > 0 and var value ? value - 1 : null;

    /// <summary>A text that may be that of the row before.</summary>
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

    /// <summary>What is not read yet.</summary>
    public ReadOnlySpan<byte> Rest => _input[_at..];

    /// <summary>Whose it is and which way it went. Good until the next is read.</summary>
    public RowCourse Course()
    {
        if (_known is null)
        {
            var own = new RowCourse();
            own.Read(ref this);
            return own;
        }

        var rest = Rest;
        var course = _known.Courses.PlaceOf(rest);
        if (course.Begins(rest))
        {
            _at += course.Bytes.Length;
            _texts += RowCourse.Texts;
        }
        else
        {
            course.Read(ref this);
        }

        return course;
    }

    /// <summary>A text that no other row has.</summary>
    public string? OwnText() => Number() is > 0 and var length ? Encoding.UTF8.GetString(Take(length - 1)) : null;

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

    private long LongNumber()
    {
        var rest = _input[_at..];
        ulong value = 0;
        for (var i = 0; i < LongestNumber && i < rest.Length; i++)
        {
            var next = rest[i];
            value |= (ulong)(next & 0x7F) << (7 * i);
            if (next < 0x80)
            {
                _at += i + 1;
                return (long)value;
            }
        }

        throw new InvalidDataException(rest.Length < LongestNumber ? "A row is shorter than it says." : "A number of a row has no end.");
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if ((ulong)count > (ulong)(_input.Length - _at))
        {
            throw new InvalidDataException("A row is shorter than it says.");
        }

        var taken = _input.Slice(_at, (int)count);
        _at += (int)count;
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
    private const int Most = 16;

    private readonly Known[] _known = new Known[Most];

    public RowCourses Courses { get; } = new();

    public string Of(int place, ReadOnlySpan<byte> bytes)
    {
        if (place >= _known.Length)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        // By its bytes: to compare those with a text costs several times as much.
        ref var known = ref _known[place];
        if (known.Text is { } text && bytes.SequenceEqual(known.Bytes.AsSpan(0, known.Length)))
        {
            return text;
        }

        known.Text = null;
        if (known.Bytes is null || known.Bytes.Length < bytes.Length)
        {
            known.Bytes = new byte[bytes.Length];
        }

        bytes.CopyTo(known.Bytes);
        known.Length = bytes.Length;
        return known.Text = Encoding.UTF8.GetString(bytes);
    }

    private struct Known
    {
        public string? Text;
        public byte[]? Bytes;
        public int Length;
    }
}
