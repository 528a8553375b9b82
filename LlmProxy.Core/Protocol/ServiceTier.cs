using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The service tier that an answer names. Some name it in every event, so known ones cost no text.</summary>
internal static class ServiceTier
{
    private const int Longest = 32;

    /// <summary>One that many answers name; null for all others.</summary>
    /// <param name="text">The value, quotes included.</param>
    public static string? Known(ReadOnlySpan<byte> text) =>
        text.SequenceEqual("\"default\""u8) ? "default"
        : text.SequenceEqual("\"standard\""u8) ? "standard"
        : text.SequenceEqual("\"flex\""u8) ? "flex"
        : text.SequenceEqual("\"priority\""u8) ? "priority"
        : null;

    /// <summary>Reads a value; null if it names none.</summary>
    /// <param name="reader">At the value.</param>
    /// <param name="known">What was read before.</param>
    public static string? Read(ref Utf8JsonReader reader, string? known)
    {
        if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length is 0 or > Longest || reader.ValueIsEscaped)
        {
            return known;
        }

        return known is not null && reader.ValueTextEquals(known) ? known
            : reader.ValueTextEquals("default"u8) ? "default"
            : reader.ValueTextEquals("standard"u8) ? "standard"
            : reader.ValueTextEquals("flex"u8) ? "flex"
            : reader.ValueTextEquals("priority"u8) ? "priority"
            : reader.GetString();
    }
}
