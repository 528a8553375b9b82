using System.Buffers.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for an object that lies in one piece and has plain names.</summary>
internal partial struct UsageReader
{
    /// <summary>Reads one object as <see cref="Read"/> does.</summary>
    /// <param name="json">The object, and whatever follows it.</param>
    /// <param name="usage">What it says.</param>
    /// <param name="length">Of the object.</param>
    /// <returns>False if that has to be asked.</returns>
    public static bool TryWalk(ReadOnlySpan<byte> json, out Usage usage, out int length)
    {
        var reading = new UsageReader();
        var walk = new JsonWalk(json);
        var isPlain = walk.TryOpen();
        while (isPlain && walk.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                usage = reading.Whole;
                length = (int)walk.Position;
                return true;
            }

            isPlain = reading.TryTake(name, json, ref walk);
        }

        usage = Usage.None;
        length = 0;
        return false;
    }

    private bool TryTake(ReadOnlySpan<byte> name, ReadOnlySpan<byte> json, scoped ref JsonWalk walk)
    {
        switch (name.Length)
        {
            case 13 when name.SequenceEqual("prompt_tokens"u8):
                var isTaken = TryTakeCount(json, ref walk, ref _input);
                _isWhole = _input >= 0;
                return isTaken;
            case 12 when name.SequenceEqual("input_tokens"u8):
                var input = _input;
                isTaken = TryTakeCount(json, ref walk, ref input);
                _input = _isWhole ? _input : input;
                return isTaken;
            case 17 when name.SequenceEqual("completion_tokens"u8):
            case 13 when name.SequenceEqual("output_tokens"u8):
                return TryTakeCount(json, ref walk, ref _output);
            case 21 when name.SequenceEqual("prompt_tokens_details"u8):
            case 20 when name.SequenceEqual("input_tokens_details"u8):
                return TryTakeDetails(json, ref walk, "cached_tokens"u8, ref _cached, "cache_write_tokens"u8, ref _written);
            case 25 when name.SequenceEqual("completion_tokens_details"u8):
            case 21 when name.SequenceEqual("output_tokens_details"u8):
                return TryTakeDetails(json, ref walk, "reasoning_tokens"u8, ref _reasoning, default, ref _reasoning);
            case 14 when name.SequenceEqual("cache_creation"u8):
                return TryTakeDetails(json, ref walk, "ephemeral_5m_input_tokens"u8, ref _writtenForMinutes, "ephemeral_1h_input_tokens"u8, ref _writtenForHour);
            case 23 when name.SequenceEqual("prompt_cache_hit_tokens"u8):
                return TryTakeCount(json, ref walk, ref _cached);
            case 23 when name.SequenceEqual("cache_read_input_tokens"u8):
                return TryTakeCount(json, ref walk, ref _readApart);
            case 27 when name.SequenceEqual("cache_creation_input_tokens"u8):
                return TryTakeCount(json, ref walk, ref _writtenApart);
            case 12 when name.SequenceEqual("service_tier"u8):
                return TryTakeTier(json, ref walk);
            default:
                return walk.TryTakeCount(out _) || walk.TrySkip();
        }
    }

    private bool TryTakeTier(ReadOnlySpan<byte> json, scoped ref JsonWalk walk)
    {
        var start = (int)walk.Position;
        if (!walk.TrySkip())
        {
            return false;
        }

        // Those that are not known are told apart over there.
        var tier = ServiceTier.Known(json[start..(int)walk.Position]);
        _tier = tier ?? _tier;
        return tier is not null || json[start] == 'n';
    }

    private static bool TryTakeDetails(
        ReadOnlySpan<byte> json, scoped ref JsonWalk walk, ReadOnlySpan<byte> firstName, ref long first, ReadOnlySpan<byte> secondName, ref long second)
    {
        if (walk.First != '{')
        {
            return walk.TrySkip();
        }

        var details = json[(int)walk.Position..];
        var inner = new JsonWalk(details);
        var isPlain = inner.TryOpen();
        while (isPlain && inner.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                walk.Pass((int)inner.Position);
                return true;
            }

            isPlain = name.SequenceEqual(firstName) ? TryTakeCount(details, ref inner, ref first)
                : !secondName.IsEmpty && name.SequenceEqual(secondName) ? TryTakeCount(details, ref inner, ref second)
                : inner.TryTakeCount(out _) || inner.TrySkip();
        }

        return false;
    }

    /// <summary>Takes a count; what is none is passed over and leaves what was known.</summary>
    private static bool TryTakeCount(ReadOnlySpan<byte> json, scoped ref JsonWalk walk, ref long count)
    {
        // Nearly always it is one.
        if (walk.TryTakeCount(out var read))
        {
            count = Math.Min(read, Usage.Most);
            return true;
        }

        var start = (int)walk.Position;
        if (!walk.TrySkip())
        {
            return false;
        }

        var value = json[start..(int)walk.Position];
        count = Utf8Parser.TryParse(value, out read, out var length) && length == value.Length && read >= 0 ? Math.Min(read, Usage.Most) : count;
        return true;
    }
}
