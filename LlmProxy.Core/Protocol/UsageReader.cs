using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Reads <c>usage</c> objects; of several in one stream the later ones add to and correct the earlier.</summary>
/// <remarks>
/// OpenAI's input includes what was read from a cache. Anthropic's does not: its <c>input_tokens</c>,
/// <c>cache_read_input_tokens</c> and <c>cache_creation_input_tokens</c> are three parts of one whole. Some servers write all
/// of these names; their <c>prompt_tokens</c> is the whole.
/// </remarks>
internal struct UsageReader
{
    private long _input = -1;
    private long _output = -1;
    private long _cached = -1;
    private long _readApart = -1;
    private long _writtenApart = -1;
    private bool _isWhole;

    public UsageReader()
    {
    }

    /// <summary>What is known so far; an output that was not told is left open.</summary>
    public readonly Usage SoFar => new(
        _input < 0 || _isWhole ? _input : _input + Math.Max(0, _readApart) + Math.Max(0, _writtenApart),
        _readApart >= 0 ? _readApart : _cached,
        _output)
    { WrittenInput = _writtenApart };

    /// <summary>Reads one object, from its opening brace to its closing one.</summary>
    public static Usage Read(ref Utf8JsonReader reader)
    {
        var usage = new UsageReader();
        usage.Add(ref reader);
        var read = usage.SoFar;

        // What has no output, as embeddings, does not say so.
        return read.Output < 0 && read.Input >= 0 ? read with { Output = 0 } : read;
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
                reader.Read();
                _cached = reader.TokenType == JsonTokenType.StartObject ? ReadCached(ref reader) : _cached;
                reader.Skip();
            }
            else if (reader.Is("cache_read_input_tokens"u8))
            {
                _readApart = ReadCount(ref reader, _readApart);
            }
            else if (reader.Is("cache_creation_input_tokens"u8))
            {
                _writtenApart = ReadCount(ref reader, _writtenApart);
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

    private static long ReadCached(ref Utf8JsonReader reader)
    {
        long cached = -1;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("cached_tokens"u8))
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
