using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Finds in a body what only the provider account can read that made it: encrypted reasoning, ids of files and of stores. Nothing
/// is parsed for it: a member's quoted name is searched for, and a value that such a member has must follow.
/// </summary>
/// <remarks>
/// A name inside a text has its quotes escaped and is not found. A tool's argument of that name may be: then a request is kept at one
/// upstream that need not have been. A name written with escapes is missed: then the upstream says what is wrong.
/// </remarks>
internal static class AccountMarks
{
    // Between a name and its value; clients that write more do not exist.
    private const int MostBlanks = 16;
    private const int LongestName = 24;

    /// <summary>Is something in it that another account could not read?</summary>
    /// <param name="body">JSON.</param>
    /// <param name="withReasoning">Encrypted reasoning and stores may be in it; else files alone.</param>
    public static bool AreIn(in ReadOnlySequence<byte> body, bool withReasoning) =>
        Has(body, "\"file_id\""u8)
        || (withReasoning && (Has(body, "\"encrypted_content\""u8) || Has(body, "\"file_ids\""u8) || Has(body, "\"vector_store_ids\""u8)));

    private static bool Has(in ReadOnlySequence<byte> body, ReadOnlySpan<byte> name)
    {
        Span<byte> seam = stackalloc byte[2 * LongestName];
        var carried = 0;
        long start = 0;
        foreach (var memory in body)
        {
            var bytes = memory.Span;

            // What the last bytes of the segments before and the first of this one make together.
            var joined = Math.Min(bytes.Length, name.Length - 1);
            bytes[..joined].CopyTo(seam[carried..]);
            if (carried > 0 && Has(body, seam[..(carried + joined)], start - carried, name))
            {
                return true;
            }

            if (Has(body, bytes, start, name))
            {
                return true;
            }

            start += bytes.Length;
            var all = seam[..(carried + joined)];
            var tail = bytes.Length >= name.Length - 1 ? bytes[^(name.Length - 1)..] : all[^Math.Min(all.Length, name.Length - 1)..];
            tail.CopyTo(seam);
            carried = tail.Length;
        }

        return false;
    }

    private static bool Has(in ReadOnlySequence<byte> body, ReadOnlySpan<byte> bytes, long start, ReadOnlySpan<byte> name)
    {
        var from = 0;
        while (bytes[from..].IndexOf(name) is >= 0 and var at)
        {
            from += at + name.Length;
            if (HasValue(body.Slice(start + from)))
            {
                return true;
            }
        }

        return false;
    }

    // A schema that describes such a member has an object there; null is nothing.
    private static bool HasValue(in ReadOnlySequence<byte> rest)
    {
        var sawColon = false;
        foreach (var memory in rest.Slice(0, Math.Min(MostBlanks, rest.Length)))
        {
            foreach (var value in memory.Span)
            {
                switch (value)
                {
                    case (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n':
                        continue;
                    case (byte)':' when !sawColon:
                        sawColon = true;
                        continue;
                    default:
                        return sawColon && value is (byte)'"' or (byte)'[';
                }
            }
        }

        return false;
    }
}
