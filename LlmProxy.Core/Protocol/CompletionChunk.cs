using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>What stands in one chunk of a chat or legacy completion.</summary>
internal struct CompletionChunk
{
    /// <summary>Where the JSON begins in the event: what the ranges below are relative to.</summary>
    public int Base { get; init; }

    public bool HasError { get; private set; }

    /// <summary>A finish reason that means failure (<c>error</c>, <c>abort</c>).</summary>
    public bool HasFailureReason { get; private set; }

    public bool IsOutput { get; private set; }

    /// <summary>Some of its output is the answer itself, not only its usage.</summary>
    public bool HasContent { get; private set; }

    /// <summary>Not an object with choices, usage or an error: nothing we know, so it may be anything.</summary>
    public bool IsUnknown { get; private set; }

    /// <summary>Its only output is one JSON string.</summary>
    public readonly bool IsOneDelta => _deltas == 1 && !_hasOtherOutput && _choices == 1;

    public SseRange DeltaValue { get; private set; }

    /// <summary>Padding that hides how long a token is: a string of changing length and no meaning.</summary>
    public SseRange Obfuscation { get; private set; }

    public SseRange Model { get; private set; }

    /// <summary>A finish reason that only this kind of upstream has.</summary>
    public SseRange ForeignReason { get; private set; }

    public int UnknownReasons { get; private set; }

    public Usage Usage { get; private set; } = Usage.None;

    /// <summary>Where its usage object stands in the data.</summary>
    public SseRange RawUsage { get; private set; }

    /// <summary>Null if it names none.</summary>
    public string? Tier { get; set; }

    /// <summary>Bytes of text in its output.</summary>
    public int TextBytes { get; private set; }

    /// <summary>It has usage and no choices: what <c>include_usage</c> asks for.</summary>
    public readonly bool IsUsageAlone => Usage.IsKnown && _hasChoices && _choices == 0;

    private bool _hasChoices;
    private int _choices;
    private int _deltas;
    private bool _hasOtherOutput;

    public CompletionChunk()
    {
    }

    /// <exception cref="JsonException">It is not JSON.</exception>
    public void Read(ReadOnlySpan<byte> data, ref ChoiceSet began, ref ChoiceSet finished)
    {
        var reader = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = 1000 });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            IsUnknown = true;
            reader.Skip();
            reader.Read();
            return;
        }

        var isKnown = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("choices"u8))
            {
                isKnown = _hasChoices = true;
                reader.Read();
                ReadChoices(ref reader, ref began, ref finished);
            }
            else if (reader.Is("usage"u8))
            {
                reader.Read();
                isKnown |= reader.TokenType == JsonTokenType.StartObject;
                ReadUsage(ref reader);
            }
            else if (reader.Is("error"u8))
            {
                reader.Read();
                HasError |= reader.TokenType != JsonTokenType.Null;
                reader.Skip();
            }
            else
            {
                ReadOther(ref reader);
            }
        }

        reader.Read(); // What follows the object is refused here.
        IsUnknown = !isKnown;
    }

    private void ReadOther(ref Utf8JsonReader reader)
    {
        if (reader.Is("model"u8))
        {
            reader.Read();
            Model = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader) : default;
        }
        else if (reader.Is("service_tier"u8))
        {
            reader.Read();
            Tier = ServiceTier.Read(ref reader, Tier);
        }
        else if (reader.Is("obfuscation"u8))
        {
            reader.Read();
            Obfuscation = reader.TokenType == JsonTokenType.String ? RangeOf(ref reader) : default;
        }
        else
        {
            reader.Read();
        }

        reader.Skip();
    }

    private void ReadUsage(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        var start = (int)reader.TokenStartIndex;
        Usage = UsageReader.Read(ref reader);
        RawUsage = new SseRange(start, (int)reader.BytesConsumed - start);
        if (Usage.IsKnown)
        {
            IsOutput = _hasOtherOutput = true;
        }
    }

    private void ReadChoices(ref Utf8JsonReader reader, ref ChoiceSet began, ref ChoiceSet finished)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                ReadChoice(ref reader, ref began, ref finished);
                continue;
            }

            reader.Skip();
        }
    }

    private void ReadChoice(ref Utf8JsonReader reader, ref ChoiceSet began, ref ChoiceSet finished)
    {
        _choices++;
        var index = 0;
        var isFinished = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("delta"u8) || reader.Is("message"u8))
            {
                reader.Read();
                ReadDelta(ref reader);
            }
            else if (reader.Is("index"u8))
            {
                reader.Read();
                index = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var value) ? value : 0;
                reader.Skip();
            }
            else if (reader.Is("finish_reason"u8))
            {
                reader.Read();
                isFinished = ReadFinishReason(ref reader);
            }
            else if (reader.Is("text"u8))
            {
                reader.Read();
                NoteOutput(ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        began.Add(index);
        if (isFinished)
        {
            finished.Add(index);
        }
    }

    private bool ReadFinishReason(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            return false;
        }

        if (reader.Is("error"u8) || reader.Is("abort"u8))
        {
            HasFailureReason = true;
            return false;
        }

        if (reader.Is(""u8))
        {
            // Some servers write an empty reason where others write null.
            return false;
        }

        IsOutput = HasContent = _hasOtherOutput = true;
        if (reader.Is("repetition"u8))
        {
            ForeignReason = RangeOf(ref reader);
        }

        if (!IsListed(ref reader))
        {
            UnknownReasons++;
        }

        return true;
    }

    private static bool IsListed(ref Utf8JsonReader reader) =>
        reader.Is("stop"u8) || reader.Is("length"u8) || reader.Is("tool_calls"u8)
        || reader.Is("content_filter"u8) || reader.Is("function_call"u8);

    private void ReadDelta(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            // Everything in a delta is output but its role and name: text, reasoning under any name, refusal, tool calls, audio.
            var isNeutral = reader.Is("role"u8) || reader.Is("name"u8);
            reader.Read();
            if (isNeutral)
            {
                reader.Skip();
            }
            else
            {
                NoteOutput(ref reader);
            }
        }
    }

    private void NoteOutput(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String when reader.ValueSpan.Length > 0:
                IsOutput = HasContent = true;
                _deltas++;
                TextBytes += reader.ValueSpan.Length;
                DeltaValue = RangeOf(ref reader);
                break;
            case JsonTokenType.Number or JsonTokenType.True:
                IsOutput = HasContent = _hasOtherOutput = true;
                break;
            case JsonTokenType.StartArray or JsonTokenType.StartObject:
                var inner = reader;
                reader.Skip();
                TextBytes += ToolText.LengthIn(inner, reader.BytesConsumed);
                if (inner.Read() && inner.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject))
                {
                    IsOutput = HasContent = _hasOtherOutput = true;
                }

                break;
        }
    }

    private readonly SseRange RangeOf(ref Utf8JsonReader reader) =>
        new(Base + (int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
}
