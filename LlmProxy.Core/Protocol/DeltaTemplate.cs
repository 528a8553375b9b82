namespace LlmProxy.Core.Protocol;

/// <summary>
/// Nearly all events of a stream are the same bytes but for one JSON string, the token. Once such an event was read in full,
/// the next ones are recognised by what stands before and after that string, without reading them as JSON.
/// </summary>
/// <remarks>
/// It is exact, not a guess: same bytes before, same bytes after, and between them the inside of one JSON string that is
/// not empty (no quote but escaped ones, no escape left open). What differs in any way is read in full.
/// </remarks>
internal struct DeltaTemplate
{
    private const int Longest = 1024;
    private const int MostMisses = 8;

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

    /// <summary>No quote in it ends the string, and no escape is left open at its end.</summary>
    private static bool IsInsideOfString(ReadOnlySpan<byte> bytes)
    {
        if (bytes[^1] == (byte)'\\')
        {
            return false;
        }

        while (bytes.IndexOf((byte)'"') is >= 0 and var quote)
        {
            var escapes = quote - 1 - bytes[..quote].LastIndexOfAnyExcept((byte)'\\');
            if (escapes % 2 == 0)
            {
                return false;
            }

            bytes = bytes[(quote + 1)..];
        }

        return true;
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
