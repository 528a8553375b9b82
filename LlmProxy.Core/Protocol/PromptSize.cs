using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// How many tokens a request's body may be, without reading it: a token is about four bytes of text in any language, JSON's own
/// marks and names included. Images, sounds and files are not told by their length: whoever sends a picture of 4 MB sends about as
/// many tokens as with a small one.
/// </summary>
/// <param name="TextBytes">Bytes that are no such thing.</param>
/// <param name="Attached">Tokens that the attachments are taken for.</param>
internal readonly record struct PromptSize(long TextBytes, long Attached)
{
    // What providers take a picture for, 85 to 1,600; a long document or sound is more than that.
    private const int TokensEach = TokenEstimate.TokensPerPicture;
    private const int BytesPerMore = 8192;

    // Text that is not interrupted for so long by a space, a quote or a line's end is not written for anybody to read. What is shorter
    // than this comes to no more as a text than as a picture, so nothing is gained by telling it apart.
    private const int Shortest = 4096;

    private static readonly SearchValues<byte> _base64 = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="u8);

    /// <summary>What the whole of it is expected to be.</summary>
    public long Tokens => Attached + (TextBytes > 0 ? Math.Max(1, TextBytes / TokenEstimate.BytesPerToken) : 0);

    /// <summary>What it cannot pass: no token is less than a byte.</summary>
    public long MostTokens => TextBytes + Attached;

    /// <param name="body">As it came.</param>
    public static PromptSize Of(in ReadOnlySequence<byte> body)
    {
        if (body.Length < Shortest)
        {
            return new PromptSize(body.Length, 0);
        }

        var attachments = default(Attachments);
        foreach (var part in body)
        {
            attachments.Look(part.Span);
        }

        return new PromptSize(body.Length - attachments.Bytes, (attachments.Count * TokensEach) + (attachments.Bytes / BytesPerMore));
    }

    // Nearly always one of a few bytes in a row is a space or a mark.
    private static bool IsText(ReadOnlySpan<byte> part, int at)
    {
        foreach (var one in part[at..Math.Min(at + 16, part.Length)])
        {
            if (one is < (byte)'+' or (byte)',' or (byte)'.' or (byte)':' or > (byte)'z')
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What is found of them, in one part of a body after another: a server's blocks are no longer than the shortest, and often shorter.</summary>
    private struct Attachments
    {
        // The run that the last part ended in, which may go on in the next.
        private long _run;

        public long Bytes { get; private set; }

        public long Count { get; private set; }

        // A long run holds every so many-th byte, so a look there finds it; in a text each look ends with its word. The last byte says
        // what goes on.
        public void Look(ReadOnlySpan<byte> part)
        {
            var (from, last) = (0, part.Length - 1);
            var next = (int)Math.Max(0, Shortest - 1 - _run);
            for (var at = -1; at < last && from <= last; next = Math.Max(at, from) + Shortest)
            {
                at = Math.Min(next, last);
                from = !IsCounted && IsText(part, at) ? Leave(at) : Take(part, from, at);
            }
        }

        private readonly bool IsCounted => _run >= Shortest;

        private int Leave(int at)
        {
            _run = 0;
            return at;
        }

        /// <returns>The end of the run around a byte.</returns>
        private int Take(ReadOnlySpan<byte> part, int from, int at)
        {
            var behind = part[at..].IndexOfAnyExcept(_base64);
            var end = behind < 0 ? part.Length : at + behind;
            var begin = part[from..at].LastIndexOfAnyExcept(_base64) + 1 + from;
            var run = end - begin + (begin == 0 ? _run : 0);
            if (begin == 0 && IsCounted)
            {
                Bytes += end;
            }
            else if (run >= Shortest)
            {
                Bytes += run;
                Count++;
            }

            _run = end == part.Length ? run : 0;
            return end;
        }
    }
}
