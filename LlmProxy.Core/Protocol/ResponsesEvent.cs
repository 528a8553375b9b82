using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>What stands in one event of OpenAI's Responses.</summary>
internal struct ResponsesEvent
{
    /// <summary>Where the data begins in the event: what <see cref="Model"/> and <see cref="Delta"/> are relative to.</summary>
    public int Base { get; init; }

    public Kinds Kind { get; private set; }

    /// <summary>It has an error of its own, whatever it calls itself.</summary>
    public bool HasError { get; private set; }

    /// <summary>The running number; below zero if it has none.</summary>
    public long Sequence { get; private set; } = -1;

    /// <summary>The object <c>response</c>, in the data.</summary>
    public SseRange Response { get; private set; }

    /// <summary>The response's id, quotes included, in the data.</summary>
    public SseRange Id { get; private set; }

    /// <summary>The response's model, quotes included.</summary>
    public SseRange Model { get; private set; }

    /// <summary>The response's own error, in the data; empty if it has none.</summary>
    public SseRange ResponseError { get; private set; }

    public Usage Usage { get; private set; } = Usage.None;

    /// <summary>Where the response's usage object stands in the data.</summary>
    public SseRange RawUsage { get; private set; }

    /// <summary>The response's service tier; null if it names none.</summary>
    public string? Tier { get; private set; }

    /// <summary>Bytes of text in a delta.</summary>
    public readonly int TextBytes => Math.Max(0, _delta.Length - 2);

    /// <summary>What changes from one event of this kind to the next, if it is nothing else.</summary>
    public readonly DeltaValues Delta => Response.Length > 0 ? default : new DeltaValues(_delta, _number, _filler);

    private SseRange _delta;
    private SseRange _number;
    private SseRange _filler;

    public ResponsesEvent()
    {
    }

    internal enum Kinds
    {
        /// <summary>Output, or something that is not known, which may be output.</summary>
        Other,

        /// <summary>The response exists, nothing more.</summary>
        Begun,

        /// <summary>The final event of an answer, complete or not.</summary>
        Ended,

        /// <summary>The final event of an answer that failed.</summary>
        Failed,
        Error,
    }

    /// <exception cref="JsonException">It is not JSON.</exception>
    public void Read(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name)
    {
        var reader = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = 1000 });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            reader.Read();
            return;
        }

        var hasType = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("type"u8))
            {
                reader.Read();
                hasType = reader.TokenType == JsonTokenType.String;
                Kind = !hasType ? Kinds.Other : KindOf(reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan);
            }
            else if (reader.Is("sequence_number"u8))
            {
                reader.Read();
                ReadNumber(ref reader);
            }
            else if (reader.Is("delta"u8))
            {
                reader.Read();
                _delta = reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length > 0 ? RangeOf(ref reader) : default;
            }
            else if (reader.Is("obfuscation"u8))
            {
                reader.Read();
                _filler = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader) : default;
            }
            else if (reader.Is("response"u8))
            {
                reader.Read();
                ReadResponse(ref reader);
            }
            else if (reader.Is("error"u8))
            {
                reader.Read();
                HasError |= reader.TokenType != JsonTokenType.Null;
            }
            else
            {
                reader.Read();
            }

            reader.Skip();
        }

        // What follows the object is refused here.
        reader.Read();
        Kind = hasType ? Kind : KindOf(name);
    }

    private static Kinds KindOf(ReadOnlySpan<byte> name) => name switch
    {
        _ when name.SequenceEqual("response.created"u8) => Kinds.Begun,
        _ when name.SequenceEqual("response.in_progress"u8) => Kinds.Begun,
        _ when name.SequenceEqual("response.queued"u8) => Kinds.Begun,
        _ when name.SequenceEqual("response.completed"u8) => Kinds.Ended,
        _ when name.SequenceEqual("response.incomplete"u8) => Kinds.Ended,
        _ when name.SequenceEqual("response.failed"u8) => Kinds.Failed,
        _ when name.SequenceEqual("error"u8) => Kinds.Error,
        _ => Kinds.Other,
    };

    private void ReadNumber(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) && number >= 0)
        {
            Sequence = number;
            _number = RangeOf(ref reader);
        }
    }

    private void ReadResponse(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return;
        }

        var begin = (int)reader.TokenStartIndex;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("id"u8))
            {
                reader.Read();
                Id = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader, 0) : default;
            }
            else if (reader.Is("model"u8))
            {
                reader.Read();
                Model = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader) : default;
            }
            else if (reader.Is("usage"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    var start = (int)reader.TokenStartIndex;
                    Usage = UsageReader.Read(ref reader);
                    RawUsage = new SseRange(start, (int)reader.BytesConsumed - start);
                }
            }
            else if (reader.Is("service_tier"u8))
            {
                reader.Read();
                Tier = ServiceTier.Read(ref reader, Tier);
            }
            else if (reader.Is("error"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                var isThere = reader.TokenType != JsonTokenType.Null;
                reader.Skip();
                ResponseError = isThere ? new SseRange(start, (int)reader.BytesConsumed - start) : default;
            }
            else
            {
                reader.Read();
            }

            reader.Skip();
        }

        Response = new SseRange(begin, (int)reader.BytesConsumed - begin);
    }

    private readonly SseRange RangeOf(ref Utf8JsonReader reader) => RangeOf(ref reader, Base);

    private static SseRange RangeOf(ref Utf8JsonReader reader, int offset) =>
        new(offset + (int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
}
