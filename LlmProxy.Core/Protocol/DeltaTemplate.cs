using System.Buffers;
using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>What may differ between two events that are otherwise the same bytes.</summary>
/// <param name="Delta">The output: a JSON string that is not empty, quotes included.</param>
/// <param name="Number">A running number; no length where there is none.</param>
/// <param name="Filler">A JSON string without meaning, quotes included; no length where there is none.</param>
internal readonly record struct DeltaValues(SseRange Delta, SseRange Number = default, SseRange Filler = default);

/// <summary>
/// Nearly all events of a stream are the same bytes but for one JSON string, the token, and in some dialects a running
/// number. Once such an event was read in full, the next ones are recognised by what stands around these values, without
/// reading them as JSON.
/// </summary>
/// <remarks>
/// It is exact, not a guess: the same bytes in the same order, and between them the inside of a JSON string (whole escapes,
/// no control characters; not empty if it is the token) or a number. What differs in any way is read in full.
/// </remarks>
internal struct DeltaTemplate
{
    private const int Longest = 1024;
    private const int MostMisses = 8;

    private static readonly SearchValues<byte> _notPlain = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (byte)c), (byte)'"', (byte)'\\']);
    private static readonly SearchValues<byte> _hexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private byte[]? _bytes;
    private Values _values;
    private int _count;
    private int _end;
    private SseLines _lines;
    private SseRange _dataEdges;
    private int _misses;
    private bool _standsAlone;

    private enum Kind
    {
        Delta,
        Number,
        Filler,
    }

    /// <summary>Bytes of the token in the event that matched last, without its quotes.</summary>
    public int TextLength { get; private set; }

    /// <summary>Is the event like the one that was learned?</summary>
    /// <param name="raw">All its bytes.</param>
    /// <param name="found">What stands in it.</param>
    /// <param name="number">Its running number, if the one that was learned had one.</param>
    public bool Matches(ReadOnlySpan<byte> raw, in SseEvent found, out SseRange number)
    {
        number = default;
        return _count > 0
            && found.Lines == _lines
            && found.Data.Start == _dataEdges.Start
            && raw.Length - found.Data.End == _dataEdges.Length
            && LengthOfLike(raw, out number) == raw.Length;
    }

    /// <summary>
    /// Do the bytes begin with an event like the one that was learned? Nobody has to look for its end then: a string and a number
    /// have no line end in them, so its lines end where those of the other do.
    /// </summary>
    /// <param name="bytes">Begin with an event, whole or not, and not with the line feed that may follow a carriage return.</param>
    /// <param name="number">Its running number, if the one that was learned had one.</param>
    /// <returns>The event's length; 0 if it is another, is not whole, or has to be looked at line by line.</returns>
    public int LengthOfNext(ReadOnlySpan<byte> bytes, out SseRange number)
    {
        number = default;
        return _standsAlone ? LengthOfLike(bytes, out number) : 0;
    }

    private int LengthOfLike(ReadOnlySpan<byte> bytes, out SseRange number)
    {
        number = default;
        ReadOnlySpan<byte> literals = _bytes;
        var rest = bytes;
        for (var i = 0; i < _count; i++)
        {
            var (kind, before) = _values[i];
            if (!rest.StartsWith(literals[..before]))
            {
                return 0;
            }

            literals = literals[before..];
            rest = rest[before..];
            var length = LengthOf(rest, kind);
            if (length < 0)
            {
                return 0;
            }

            if (kind == Kind.Delta)
            {
                TextLength = length;
            }
            else if (kind == Kind.Number)
            {
                number = new SseRange(bytes.Length - rest.Length, length);
            }

            rest = rest[length..];
        }

        if (!rest.StartsWith(literals[.._end]))
        {
            return 0;
        }

        _misses = 0;
        return bytes.Length - rest.Length + _end;
    }

    /// <summary>Remembers an event by everything but these values; offsets are in <paramref name="raw"/>.</summary>
    public void Learn(ReadOnlySpan<byte> raw, in SseEvent found, in DeltaValues values)
    {
        _count = 0;
        _standsAlone = false;
        if (_misses++ >= MostMisses || (found.Lines & ~(SseLines.Data | SseLines.Name)) != 0)
        {
            return;
        }

        Span<(Kind Kind, SseRange Range)> inOrder = [(Kind.Delta, Inside(values.Delta)), (Kind.Number, values.Number), (Kind.Filler, Inside(values.Filler))];
        inOrder.Sort(static (a, b) => a.Range.Start.CompareTo(b.Range.Start));
        var literals = raw.Length;
        foreach (var (_, range) in inOrder)
        {
            literals -= range.Length;
        }

        if (literals > Longest)
        {
            return;
        }

        if (_bytes is null || _bytes.Length < literals)
        {
            _bytes = GC.AllocateUninitializedArray<byte>(Math.Min(Longest, literals + 32));
        }

        var position = 0;
        Span<byte> output = _bytes;
        foreach (var (kind, range) in inOrder)
        {
            if (range.Start == 0)
            {
                continue;
            }

            var literal = raw[position..range.Start];
            literal.CopyTo(output);
            output = output[literal.Length..];
            _values[_count++] = (kind, literal.Length);
            position = range.End;
        }

        raw[position..].CopyTo(output);
        _end = raw.Length - position;
        _lines = found.Lines;
        _dataEdges = new SseRange(found.Data.Start, raw.Length - found.Data.End);

        // A line feed in front belongs to the event before, one behind a carriage return at the end may still come.
        _standsAlone = raw[0] > (byte)'\r' && raw[^1] == (byte)'\n';
    }

    private static SseRange Inside(SseRange quoted) => quoted.Length == 0 ? default : new SseRange(quoted.Start + 1, quoted.Length - 2);

    /// <returns>Below zero if there is no such value.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LengthOf(ReadOnlySpan<byte> bytes, Kind kind)
    {
        if (kind == Kind.Number)
        {
            var digits = bytes.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            return digits <= 0 || (digits > 1 && bytes[0] == (byte)'0') ? -1 : digits;
        }

        var length = EndOfString(bytes);
        return length > 0 || kind == Kind.Filler ? length : -1;
    }

    /// <summary>Where the quote stands that ends the string; below zero if what comes before it is not the inside of one.</summary>
    private static int EndOfString(ReadOnlySpan<byte> bytes)
    {
        var position = 0;
        while (bytes[position..].IndexOfAny(_notPlain) is >= 0 and var offset)
        {
            position += offset;
            if (bytes[position] == (byte)'"')
            {
                return position;
            }

            if (bytes[position] != (byte)'\\' || EscapeLength(bytes[(position + 1)..]) is not (> 0 and var length))
            {
                return -1;
            }

            position += 1 + length;
        }

        return -1;
    }

    private static int EscapeLength(ReadOnlySpan<byte> behind)
    {
        if (behind.IsEmpty || "\"\\/bfnrtu"u8.IndexOf(behind[0]) < 0)
        {
            return 0;
        }

        return behind[0] != (byte)'u' ? 1
            : behind.Length >= 5 && behind[1..5].IndexOfAnyExcept(_hexDigits) < 0 ? 5
            : 0;
    }

    [InlineArray(3)]
    private struct Values
    {
        private (Kind Kind, int Before) _first;
    }
}
