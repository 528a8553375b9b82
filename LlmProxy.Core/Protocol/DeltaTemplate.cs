using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Nearly all events of a stream are the same bytes but for one JSON string, the token. Once such an event was read in full,
/// the next ones are recognised by what stands before and after that string, without reading them as JSON.
/// </summary>
/// <remarks>
/// It is exact, not a guess: same bytes before, same bytes after, and between them the inside of one JSON string that is
/// not empty (no quote but escaped ones, no escape left open or unknown, no control characters). What differs in any way is read in full.
/// </remarks>
internal struct DeltaTemplate
{
    private const int Longest = 1024;
    private const int MostMisses = 8;

    private static readonly SearchValues<byte> _notPlain = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (byte)c), (byte)'"', (byte)'\\']);
    private static readonly SearchValues<byte> _hexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private byte[]? _bytes;
    private int _before;
    private int _after;
    private SseRange _dataEdges;
    private int _misses;

    public bool Matches(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        if (_bytes is null || _before == 0 || found.Lines != SseLines.Data)
        {
            return false;
        }

        var length = raw.Length - _before - _after;
        if (length <= 0
            || found.Data.Start != _dataEdges.Start
            || raw.Length - found.Data.End != _dataEdges.Length
            || !raw.EndsWith(_bytes.AsSpan(_before, _after))
            || !raw.StartsWith(_bytes.AsSpan(0, _before)))
        {
            return false;
        }

        if (!IsInsideOfString(raw.Slice(_before, length)))
        {
            return false;
        }

        _misses = 0;
        return true;
    }

    /// <summary>Whole escapes, no quote that ends the string, none of the control characters that JSON forbids.</summary>
    private static bool IsInsideOfString(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOfAny(_notPlain) is >= 0 and var at)
        {
            if (bytes[at] != (byte)'\\' || EscapeLength(bytes[(at + 1)..]) is not (> 0 and var length))
            {
                return false;
            }

            bytes = bytes[(at + 1 + length)..];
        }

        return true;
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

    /// <summary>Remembers an event whose only changing part is the string <paramref name="value"/> (quotes included, offsets in <paramref name="raw"/>).</summary>
    public void Learn(ReadOnlySpan<byte> raw, in SseEvent found, SseRange value)
    {
        var before = value.Start + 1;
        var after = raw.Length - value.End + 1;
        if (_misses++ >= MostMisses || found.Lines != SseLines.Data || before + after > Longest)
        {
            _before = 0;
            return;
        }

        if (_bytes is null || _bytes.Length < before + after)
        {
            _bytes = GC.AllocateUninitializedArray<byte>(Math.Min(Longest, before + after + 32));
        }

        raw[..before].CopyTo(_bytes);
        raw[^after..].CopyTo(_bytes.AsSpan(before));
        _before = before;
        _after = after;
        _dataEdges = new SseRange(found.Data.Start, raw.Length - found.Data.End);
    }
}
