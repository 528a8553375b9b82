using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The text of tool calls: what they are called and what they are given. Ids and types are not the model's words.</summary>
internal static class ToolText
{
    /// <param name="reader">At the value that holds them.</param>
    /// <param name="end">Where that ends.</param>
    /// <returns>In bytes, as JSON.</returns>
    public static int LengthIn(Utf8JsonReader reader, long end)
    {
        var bytes = 0;
        var isText = false;
        while (reader.BytesConsumed < end && reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                isText = reader.Is("arguments"u8) || reader.Is("name"u8) || reader.Is("text"u8);
            }
            else if (reader.TokenType == JsonTokenType.String && isText)
            {
                bytes += reader.ValueSpan.Length;
            }
        }

        return bytes;
    }
}
