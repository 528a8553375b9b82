using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Reads <c>usage</c> objects; of several in one stream the later ones add to and correct the earlier.</summary>
/// <remarks>
/// OpenAI's input includes what was read from a cache. Anthropic's does not: its <c>input_tokens</c>,
/// <c>cache_read_input_tokens</c> and <c>cache_creation_input_tokens</c> are three parts of one whole. Some servers write all
/// of these names; their <c>prompt_tokens</c> is the whole. A few tell in words of their own what was read from a cache
/// (<c>prompt_cache_hit_tokens</c>) or written to it (<c>cache_write_tokens</c>), as parts of the whole.
/// </remarks>
internal partial struct UsageReader
{
    private long _input = -1;
    private long _output = -1;
    private long _cached = -1;
    private long _readApart = -1;
    private long _writtenApart = -1;
    private long _writtenForMinutes = -1;
    private long _writtenForHour = -1;
    private long _written = -1;
    private long _reasoning = -1;
    private bool _isWhole;
    private string? _tier;

    public UsageReader()
    {
    }

    /// <summary>What is known so far; an output that was not told is left open.</summary>
    public readonly Usage SoFar => new(
        _input < 0 || _isWhole ? _input : Math.Min(Usage.Most, _input + Math.Max(0, _readApart) + Math.Max(0, WrittenApart)),
        _readApart >= 0 ? _readApart : _cached,
        _output)
    {
        WrittenInput = WrittenApart >= 0 ? WrittenApart : _written,
        WrittenForHour = _writtenForHour,
        Reasoning = _reasoning,
        Tier = _tier,
    };

    // What has no output, as embeddings, does not say so.
    private readonly Usage Whole
    {
        get
        {
            var read = SoFar;
            return read.Output < 0 && read.Input >= 0 ? read with { Output = 0 } : read;
        }
    }

    private readonly long WrittenApart =>
        _writtenApart >= 0 || (_writtenForMinutes < 0 && _writtenForHour < 0) ? _writtenApart : Math.Max(0, _writtenForMinutes) + Math.Max(0, _writtenForHour);

    /// <summary>Reads one object, from its opening brace to its closing one.</summary>
    public static Usage Read(ref Utf8JsonReader reader)
    {
        var usage = new UsageReader();
        usage.Add(ref reader);
        return usage.Whole;
    }

    /// <summary>Reads what an upstream wrote of its usage: one object, or several of one stream, one behind the other.</summary>
    /// <returns>False if it is not that.</returns>
    public static bool TryRead(ReadOnlySpan<byte> raw, out Usage usage)
    {
        var all = new UsageReader();
        try
        {
            var reader = new Utf8JsonReader(raw, new JsonReaderOptions { AllowMultipleValues = true });
            while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                all.Add(ref reader);
            }
        }
        catch (JsonException)
        {
            usage = Usage.None;
            return false;
        }

        usage = all.Whole;
        return usage.IsKnown;
    }

    /// <summary>Reads one more object.</summary>
    public void Add(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("prompt_tokens"u8))
            {
                _input = ReadCount(ref reader, _input);
                _isWhole = _input >= 0;
            }
            else if (reader.Is("input_tokens"u8))
            {
                var input = ReadCount(ref reader, _input);
                _input = _isWhole ? _input : input;
            }
            else if (reader.Is("completion_tokens"u8) || reader.Is("output_tokens"u8))
            {
                _output = ReadCount(ref reader, _output);
            }
            else if (reader.Is("prompt_tokens_details"u8) || reader.Is("input_tokens_details"u8))
            {
                ReadDetails(ref reader, "cached_tokens"u8, ref _cached, "cache_write_tokens"u8, ref _written);
            }
            else if (reader.Is("completion_tokens_details"u8) || reader.Is("output_tokens_details"u8))
            {
                ReadDetails(ref reader, "reasoning_tokens"u8, ref _reasoning, default, ref _reasoning);
            }
            else if (reader.Is("cache_creation"u8))
            {
                ReadDetails(ref reader, "ephemeral_5m_input_tokens"u8, ref _writtenForMinutes, "ephemeral_1h_input_tokens"u8, ref _writtenForHour);
            }
            else if (reader.Is("prompt_cache_hit_tokens"u8))
            {
                _cached = ReadCount(ref reader, _cached);
            }
            else if (reader.Is("cache_read_input_tokens"u8))
            {
                _readApart = ReadCount(ref reader, _readApart);
            }
            else if (reader.Is("cache_creation_input_tokens"u8))
            {
                _writtenApart = ReadCount(ref reader, _writtenApart);
            }
            else if (reader.Is("service_tier"u8))
            {
                reader.Read();
                _tier = ServiceTier.Read(ref reader, _tier);
                reader.Skip();
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    /// <summary>Forgets an output that was told before there was any.</summary>
    public void LeaveOutputOpen() => _output = -1;

    /// <summary>Reads two counts of an object; whatever else it is or holds is passed over.</summary>
    private static void ReadDetails(
        ref Utf8JsonReader reader, ReadOnlySpan<byte> firstName, ref long first, ReadOnlySpan<byte> secondName, ref long second)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.Is(firstName))
                {
                    first = ReadCount(ref reader, first);
                }
                else if (!secondName.IsEmpty && reader.Is(secondName))
                {
                    second = ReadCount(ref reader, second);
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }
        }

        reader.Skip();
    }

    private static long ReadCount(ref Utf8JsonReader reader, long otherwise)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count) && count >= 0)
        {
            return Math.Min(count, Usage.Most);
        }

        reader.Skip();
        return otherwise;
    }
}
