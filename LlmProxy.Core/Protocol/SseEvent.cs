namespace LlmProxy.Core.Protocol;

/// <summary>What stands in one server-sent event, as offsets from its first byte, so that it survives a move of the buffer.</summary>
/// <param name="Length">All its bytes, the blank line that ends it included.</param>
/// <param name="Lines">Which lines it has.</param>
/// <param name="Data">The value of its first <c>data</c> line that is not empty.</param>
/// <param name="Name">The value of its last <c>event</c> line.</param>
internal readonly record struct SseEvent(int Length, SseLines Lines, SseRange Data, SseRange Name)
{
    public bool HasData => (Lines & SseLines.Data) != 0;

    /// <summary>Some line must not reach a client (see <see cref="SseLines.Cut"/>).</summary>
    public bool MustBeCut => (Lines & SseLines.Cut) != 0;

    /// <summary>Its bytes without the mark that began the stream. The same three bytes further on are part of a line.</summary>
    public ReadOnlySpan<byte> LinesOf(ReadOnlySpan<byte> raw) => (Lines & SseLines.Mark) != 0 ? raw[3..] : raw;
}

/// <summary>A run of bytes.</summary>
internal readonly record struct SseRange(int Start, int Length)
{
    public int End => Start + Length;

    public ReadOnlySpan<byte> In(ReadOnlySpan<byte> bytes) => bytes.Slice(Start, Length);
}

[Flags]
internal enum SseLines
{
    None = 0,
    Data = 1,
    MoreData = 2,
    Name = 4,
    Comment = 8,

    /// <summary>A byte order mark before a line, <c>id</c>, <c>retry</c> or an empty <c>data</c>: some clients throw on them.</summary>
    Cut = 16,

    /// <summary>The byte order mark of the stream stands in front of it.</summary>
    Mark = 32,
}
