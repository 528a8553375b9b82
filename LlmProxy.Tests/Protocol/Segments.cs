using System.Buffers;

namespace LlmProxy.Tests.Protocol;

/// <summary>A body as a server hands it over: in pieces.</summary>
internal static class Segments
{
    /// <param name="body">All bytes.</param>
    /// <param name="cuts">Where a piece ends, ascending.</param>
    public static ReadOnlySequence<byte> Of(byte[] body, params IEnumerable<int> cuts)
    {
        var first = new Segment(default, 0);
        var last = first;
        var start = 0;
        foreach (var end in cuts.Append(body.Length))
        {
            // A piece of its own array: a reader that runs over its end finds nothing.
            last = last.Append(body.AsSpan(start..end).ToArray());
            start = end;
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>Every byte alone.</summary>
    public static ReadOnlySequence<byte> Single(byte[] body) => InPieces(body, 1);

    /// <summary>All of one length but for the last.</summary>
    public static ReadOnlySequence<byte> InPieces(byte[] body, int length) =>
        Of(body, Enumerable.Range(1, Math.Max(0, body.Length - 1) / length).Select(piece => piece * length));

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long start)
        {
            Memory = memory;
            RunningIndex = start;
        }

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
