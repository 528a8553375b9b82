using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Reads a <c>usage</c> object of the OpenAI family.</summary>
internal static class UsageReader
{
    /// <summary>Reads from its opening brace to its closing one.</summary>
    public static Usage Read(ref Utf8JsonReader reader)
    {
        long input = -1, output = -1, cached = -1;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8))
            {
                input = ReadCount(ref reader, input);
            }
            else if (reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8))
            {
                output = ReadCount(ref reader, output);
            }
            else if (reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8))
            {
                reader.Read();
                cached = reader.TokenType == JsonTokenType.StartObject ? ReadCached(ref reader) : cached;
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return new Usage(input, cached, output < 0 && input >= 0 ? 0 : output);
    }

    private static long ReadCached(ref Utf8JsonReader reader)
    {
        long cached = -1;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cached_tokens"u8))
            {
                cached = ReadCount(ref reader, cached);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return cached;
    }

    private static long ReadCount(ref Utf8JsonReader reader, long otherwise)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count) && count >= 0)
        {
            return count;
        }

        reader.Skip();
        return otherwise;
    }
}
