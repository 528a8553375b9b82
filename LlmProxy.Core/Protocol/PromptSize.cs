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

    // Text that is not interrupted for so long by a space, a quote or a line's end is not written for anybody to read.
    private const int Shortest = 1024;

    private static readonly SearchValues<byte> _base64 = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="u8);

    /// <summary>What the whole of it is expected to be.</summary>
    public long Tokens => Attached + (TextBytes > 0 ? Math.Max(1, TextBytes / TokenEstimate.BytesPerToken) : 0);

    /// <summary>What it cannot pass: no token is less than a byte.</summary>
    public long MostTokens => TextBytes + Attached;

    /// <param name="body">As it came.</param>
    public static PromptSize Of(in ReadOnlySequence<byte> body)
    {
        var bytes = 0L;
        var attachments = 0L;
        var isInside = false;
        foreach (var part in body)
        {
            Look(part.Span, ref bytes, ref attachments, ref isInside);
        }

        return new PromptSize(body.Length - bytes, (attachments * TokensEach) + (bytes / BytesPerMore));
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

    // A long run holds every so many-th byte, so a look there finds it; in a text each look ends with its word.
    private static void Look(ReadOnlySpan<byte> part, ref long bytes, ref long attachments, ref bool isInside)
    {
        if (part.IsEmpty)
        {
            return;
        }

        var from = 0;
        for (var at = isInside ? 0 : Math.Min(Shortest, part.Length) - 1; at < part.Length; at = Math.Max(at, from) + Shortest)
        {
            if (!isInside && IsText(part, at))
            {
                continue;
            }

            var behind = part[at..].IndexOfAnyExcept(_base64);
            var end = behind < 0 ? part.Length : at + behind;
            var begin = part[from..at].LastIndexOfAnyExcept(_base64) + 1 + from;
            var continues = isInside && begin == 0;
            if (end - begin >= Shortest || (continues && end > begin))
            {
                bytes += end - begin;
                attachments += continues ? 0 : 1;
                isInside = end == part.Length;
            }
            else
            {
                isInside = false;
            }

            from = Math.Max(from, end);
        }
    }
}
