using System.Buffers.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for an object that lies in one piece and has plain names.</summary>
internal partial struct UsageReader
{
    /// <summary>Reads one object as <see cref="Read"/> does.</summary>
    /// <returns>False if that has to be asked.</returns>
    public static bool TryWalk(ReadOnlySpan<byte> json, out Usage usage)
    {
        var reading = new UsageReader();
        var walk = new JsonWalk(json);
        var isPlain = walk.TryOpen();
        while (isPlain && walk.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                usage = reading.Whole;
                return true;
            }

            var start = (int)walk.Position;
            isPlain = walk.TrySkip() && reading.TryTake(name, json[start..(int)walk.Position]);
        }

        usage = Usage.None;
        return false;
    }

    private bool TryTake(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.SequenceEqual("prompt_tokens"u8))
        {
            _input = CountOf(value, _input);
            _isWhole = _input >= 0;
        }
        else if (name.SequenceEqual("input_tokens"u8))
        {
            _input = _isWhole ? _input : CountOf(value, _input);
        }
        else if (name.SequenceEqual("completion_tokens"u8) || name.SequenceEqual("output_tokens"u8))
        {
            _output = CountOf(value, _output);
        }
        else if (name.SequenceEqual("prompt_tokens_details"u8) || name.SequenceEqual("input_tokens_details"u8))
        {
            return TryTakeDetails(value, "cached_tokens"u8, ref _cached, "cache_write_tokens"u8, ref _written);
        }
        else if (name.SequenceEqual("completion_tokens_details"u8) || name.SequenceEqual("output_tokens_details"u8))
        {
            return TryTakeDetails(value, "reasoning_tokens"u8, ref _reasoning, default, ref _reasoning);
        }
        else if (name.SequenceEqual("cache_creation"u8))
        {
            return TryTakeDetails(value, "ephemeral_5m_input_tokens"u8, ref _writtenForMinutes, "ephemeral_1h_input_tokens"u8, ref _writtenForHour);
        }
        else if (name.SequenceEqual("prompt_cache_hit_tokens"u8))
        {
            _cached = CountOf(value, _cached);
        }
        else if (name.SequenceEqual("cache_read_input_tokens"u8))
        {
            _readApart = CountOf(value, _readApart);
        }
        else if (name.SequenceEqual("cache_creation_input_tokens"u8))
        {
            _writtenApart = CountOf(value, _writtenApart);
        }
        else if (name.SequenceEqual("service_tier"u8))
        {
            // Known ones are told apart over there.
            return value is [(byte)'n', ..];
        }

        return true;
    }

    private static bool TryTakeDetails(ReadOnlySpan<byte> json, ReadOnlySpan<byte> firstName, ref long first, ReadOnlySpan<byte> secondName, ref long second)
    {
        if (json[0] != '{')
        {
            return true;
        }

        var walk = new JsonWalk(json);
        var isPlain = walk.TryOpen();
        while (isPlain && walk.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                return true;
            }

            var start = (int)walk.Position;
            isPlain = walk.TrySkip();
            if (isPlain && name.SequenceEqual(firstName))
            {
                first = CountOf(json[start..(int)walk.Position], first);
            }
            else if (isPlain && !secondName.IsEmpty && name.SequenceEqual(secondName))
            {
                second = CountOf(json[start..(int)walk.Position], second);
            }
        }

        return false;
    }

    private static long CountOf(ReadOnlySpan<byte> value, long otherwise) =>
        Utf8Parser.TryParse(value, out long count, out var read) && read == value.Length && count >= 0 ? Math.Min(count, Usage.Most) : otherwise;
}
