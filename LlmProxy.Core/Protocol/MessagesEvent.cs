using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>What stands in one event of Anthropic's Messages.</summary>
internal struct MessagesEvent
{
    /// <summary>Where the data begins in the event: what the ranges below are relative to.</summary>
    public int Base { get; init; }

    public Kinds Kind { get; private set; }

    /// <summary>It has an error, whatever it calls itself.</summary>
    public bool HasError { get; private set; }

    /// <summary>Some value in a content block or a delta is not empty.</summary>
    public bool HasContent { get; private set; }

    /// <summary>The block is neither text nor thinking, which begin empty: it is something as it is.</summary>
    public bool IsOtherBlock { get; private set; }

    /// <summary>The model's name in the message, quotes included.</summary>
    public SseRange Model { get; private set; }

    /// <summary>The only output, if that is one JSON string.</summary>
    public readonly SseRange Delta => _strings == 1 && !_hasOtherContent ? _string : default;

    /// <summary>Bytes of text in a content block or a delta.</summary>
    public int TextBytes { get; private set; }

    /// <summary>Where its usage object stands in the data; empty if it has none.</summary>
    public SseRange RawUsage { get; private set; }

    private SseRange _string;
    private int _strings;
    private bool _hasOtherContent;

    public MessagesEvent()
    {
    }

    internal enum Kinds
    {
        /// <summary>No type, or one that is not known: it may be anything.</summary>
        Unknown,
        MessageStart,
        Ping,
        BlockStart,
        BlockDelta,
        BlockStop,
        MessageDelta,
        MessageStop,
        Error,
    }

    /// <summary>The kind of that name.</summary>
    public static Kinds KindOf(ReadOnlySpan<byte> name) => name switch
    {
        _ when name.SequenceEqual("content_block_delta"u8) => Kinds.BlockDelta,
        _ when name.SequenceEqual("content_block_start"u8) => Kinds.BlockStart,
        _ when name.SequenceEqual("content_block_stop"u8) => Kinds.BlockStop,
        _ when name.SequenceEqual("message_start"u8) => Kinds.MessageStart,
        _ when name.SequenceEqual("message_delta"u8) => Kinds.MessageDelta,
        _ when name.SequenceEqual("message_stop"u8) => Kinds.MessageStop,
        _ when name.SequenceEqual("ping"u8) => Kinds.Ping,
        _ when name.SequenceEqual("error"u8) => Kinds.Error,
        _ => Kinds.Unknown,
    };

    /// <exception cref="JsonException">It is not JSON.</exception>
    public void Read(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name, ref UsageReader usage)
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
                Kind = !hasType ? Kinds.Unknown : KindOf(reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan);
            }
            else if (reader.Is("delta"u8) || reader.Is("content_block"u8))
            {
                reader.Read();
                ReadContent(ref reader);
            }
            else if (reader.Is("message"u8))
            {
                reader.Read();
                ReadMessage(ref reader, ref usage);
            }
            else if (reader.Is("usage"u8))
            {
                reader.Read();
                ReadUsage(ref reader, ref usage);
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

    private void ReadContent(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("type"u8))
            {
                reader.Read();
                IsOtherBlock = reader.TokenType != JsonTokenType.String || !(reader.Is("text"u8) || reader.Is("thinking"u8));
            }
            else
            {
                reader.Read();
                NoteContent(ref reader);
            }

            reader.Skip();
        }
    }

    private void NoteContent(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String when reader.ValueSpan.Length > 0:
                HasContent = true;
                _strings++;
                TextBytes += reader.ValueSpan.Length;
                _string = RangeOf(ref reader);
                break;
            case JsonTokenType.StartArray or JsonTokenType.StartObject:
                var inner = reader;
                reader.Skip();
                HasContent |= inner.Read() && inner.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject);
                _hasOtherContent = true;
                break;
            case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                HasContent = _hasOtherContent = true;
                break;
        }
    }

    private void ReadMessage(ref Utf8JsonReader reader, ref UsageReader usage)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("model"u8))
            {
                reader.Read();
                Model = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader) : default;
            }
            else if (reader.Is("usage"u8))
            {
                reader.Read();
                ReadUsage(ref reader, ref usage);
            }
            else
            {
                reader.Read();
            }

            reader.Skip();
        }
    }

    private void ReadUsage(ref Utf8JsonReader reader, ref UsageReader usage)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            usage.Add(ref reader);
            RawUsage = new SseRange(start, (int)reader.BytesConsumed - start);
        }
    }

    private readonly SseRange RangeOf(ref Utf8JsonReader reader) =>
        new(Base + (int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
}
