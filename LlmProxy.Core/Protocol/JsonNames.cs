using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Compares the names of members that somebody else wrote.</summary>
internal static class JsonNames
{
    /// <summary>
    /// The reader's token is this text. A name with half a surrogate pair in it is no text, hence none that we know: the reader's
    /// own comparison throws on some of them, and an event that holds one would not be read at all.
    /// </summary>
    public static bool Is(this ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        if (!reader.ValueIsEscaped)
        {
            return reader.ValueSpan.SequenceEqual(text);
        }

        try
        {
            return reader.ValueTextEquals(text);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
