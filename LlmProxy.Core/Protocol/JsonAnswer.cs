using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The top level of an upstream's JSON answer.</summary>
internal struct JsonAnswer
{
    /// <summary>It is an object that says that it failed.</summary>
    public bool HasError { get; private set; }

    public Usage Usage { get; private set; } = Usage.None;

    /// <summary>The value of <c>model</c>, quotes included; empty if there is none.</summary>
    public SseRange Model { get; private set; }

    public JsonAnswer()
    {
    }

    /// <summary>Reads one whole JSON object.</summary>
    /// <returns>False if it is not one: cut off, something else, or followed by something.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, out JsonAnswer answer)
    {
        answer = new JsonAnswer();
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 1000 });
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                answer.ReadMember(ref reader);
            }

            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("usage"u8))
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                Usage = UsageReader.Read(ref reader);
            }
        }
        else if (reader.ValueTextEquals("error"u8))
        {
            reader.Read();
            HasError |= reader.TokenType != JsonTokenType.Null;
        }
        else if (reader.ValueTextEquals("model"u8))
        {
            reader.Read();
            Model = reader.TokenType == JsonTokenType.String
                ? new SseRange((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex))
                : default;
        }
        else
        {
            reader.Read();
        }

        reader.Skip();
    }
}
