namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Lines out of pieces: what a piece ends in the middle of is kept until the rest comes.</summary>
internal struct LineBuffer
{
    /// <summary>Longer than any line that the upstream or a proxy has to say.</summary>
    private const int Longest = 64 << 10;

    private byte[]? _kept;
    private int _length;

    /// <summary>Takes the next line off the bytes, or all of them if they have no end of a line.</summary>
    /// <param name="bytes">What has come; behind the line afterwards.</param>
    /// <param name="line">Without its end; good until the next call.</param>
    /// <exception cref="FormatException">The line is too long.</exception>
    public bool TryTake(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> line)
    {
        var end = bytes.IndexOf((byte)'\n');
        if (end < 0)
        {
            Keep(bytes);
            bytes = default;
            line = default;
            return false;
        }

        line = bytes[..end];
        if (_length > 0)
        {
            Keep(line);
            line = _kept.AsSpan(0, _length);
            _length = 0;
        }

        bytes = bytes[(end + 1)..];
        if (line is [.., (byte)'\r'])
        {
            line = line[..^1];
        }

        return true;
    }

    public void Clear() => _length = 0;

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > Longest)
        {
            throw new FormatException("A line without an end.");
        }

        if (_kept is null || _kept.Length < _length + bytes.Length)
        {
            Array.Resize(ref _kept, Math.Max(256, 2 * (_length + bytes.Length)));
        }

        bytes.CopyTo(_kept.AsSpan(_length));
        _length += bytes.Length;
    }
}
