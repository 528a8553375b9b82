using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Ids of what an upstream keeps: responses and conversations. They become part of a path, so only plain ones count.</summary>
internal static class StoredIds
{
    private const int Longest = 256;

    private const string Plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    private static readonly SearchValues<char> Chars = SearchValues.Create(Plain);
    private static readonly SearchValues<byte> Bytes = SearchValues.Create(Encoding.ASCII.GetBytes(Plain));

    /// <summary>Letters, digits, <c>_</c> and <c>-</c>.</summary>
    public static bool IsPlain(ReadOnlySpan<char> id) => id.Length is > 0 and <= Longest && !id.ContainsAnyExcept(Chars);

    /// <summary>The id in a JSON string, quotes included; null if it is not plain.</summary>
    public static string? Read(ReadOnlySpan<byte> quoted) =>
        quoted.Length is > 2 and <= Longest + 2 && !quoted[1..^1].ContainsAnyExcept(Bytes) ? Encoding.ASCII.GetString(quoted[1..^1]) : null;

    /// <summary>The id in the string that the reader stands on; null if it is not plain. Escapes are undone: they must not hide whose it is.</summary>
    public static string? Read(in Utf8JsonReader reader)
    {
        const int LongestEscape = 6;
        var length = reader.HasValueSequence ? reader.ValueSequence.Length : reader.ValueSpan.Length;
        if (reader.TokenType != JsonTokenType.String || length is 0 or > Longest * LongestEscape)
        {
            return null;
        }

        try
        {
            Span<byte> text = stackalloc byte[Longest * LongestEscape];
            text = text[..reader.CopyString(text)];
            return text.Length > Longest || text.ContainsAnyExcept(Bytes) ? null : Encoding.ASCII.GetString(text);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
