using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The top level of an upstream's JSON answer.</summary>
/// <remarks>A class: streams have none, and would keep room for it.</remarks>
internal sealed class JsonAnswer
{
    /// <summary>It is an object that says that it failed. A response object tells of its error as a part of itself: it is an answer.</summary>
    public bool HasError => _error.Length > 0 && !_isResponse;

    /// <summary>The value of <c>error</c> in a response object that has failed; empty in all others.</summary>
    public SseRange ResponseError => _isResponse ? _error : default;

    /// <summary>With the service tier, wherever the answer names it.</summary>
    public Usage Usage => _usage.Tier is null && _tier is not null ? _usage with { Tier = _tier } : _usage;

    /// <summary>Where its usage object stands; empty if it has none.</summary>
    public SseRange RawUsage { get; private set; }

    /// <summary>The value of <c>model</c>, quotes included; empty if there is none.</summary>
    public SseRange Model { get; private set; }

    /// <summary>The value of <c>id</c>, quotes included; empty if there is none.</summary>
    public SseRange Id { get; private set; }

    [ThreadStatic]
    internal static Spares<JsonAnswer> Kept;

    private static readonly JsonReaderOptions _options = new() { MaxDepth = 1000 };

    private Usage _usage = Usage.None;
    private string? _tier;
    private SseRange _error;
    private bool _isResponse;

    /// <summary>Reads one whole JSON object.</summary>
    /// <returns>False if it is not one: cut off, something else, or followed by something.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, out JsonAnswer answer)
    {
        answer = Kept.Take() ?? new JsonAnswer();
        return answer.TryWalk(body) || TryReadByReader(body, out answer);
    }

    /// <summary>Nobody asks it any more: it serves another answer.</summary>
    public void GiveBack()
    {
        (_usage, _tier, _isResponse, _error, RawUsage, Model, Id) = (Usage.None, null, false, default, default, default, default);
        Kept.Give(this);
    }

    // Apart, as others below: room for a reader is cleared at each call of a method that has one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryReadByReader(ReadOnlySpan<byte> body, out JsonAnswer answer)
    {
        answer = new JsonAnswer();
        var reader = new Utf8JsonReader(body, _options);
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

    /// <summary>Finds the <c>id</c> in the beginning of an object that is not all there; empty if it does not stand there.</summary>
    public static SseRange FindId(ReadOnlySpan<byte> beginning)
    {
        var reader = new Utf8JsonReader(beginning, isFinalBlock: false, new JsonReaderState(_options));
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isId = reader.Is("id"u8);
                if (!reader.Read() || isId)
                {
                    return isId ? TextOf(ref reader) : default;
                }

                if (!reader.TrySkip())
                {
                    return default;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // It will be seen for what it is when it is relayed.
        }

        return default;
    }

    /// <summary>Finds the value of <c>error</c> in the beginning of an object that is not all there; empty if it does not stand there as a whole, or is null.</summary>
    public static SseRange FindError(ReadOnlySpan<byte> beginning)
    {
        var reader = new Utf8JsonReader(beginning, isFinalBlock: false, new JsonReaderState(_options));
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isError = reader.Is("error"u8);
                if (!reader.Read())
                {
                    return default;
                }

                var start = (int)reader.TokenStartIndex;
                isError &= reader.TokenType != JsonTokenType.Null;
                if (!reader.TrySkip())
                {
                    return default;
                }

                if (isError)
                {
                    return new SseRange(start, (int)reader.BytesConsumed - start);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // As above.
        }

        return default;
    }

    // The quick way, for an object with plain names; about what it says no to, the reader has the last word.
    private bool TryWalk(ReadOnlySpan<byte> body)
    {
        var walk = new JsonWalk(body);
        if (!walk.TryOpen())
        {
            return false;
        }

        while (walk.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                return walk.IsAtEnd();
            }

            var start = (int)walk.Position;
            if (walk.First == '{' && name.SequenceEqual("usage"u8) && UsageReader.TryWalk(body[start..], out var usage, out var length))
            {
                NoteUsage(usage, start, length);
                walk.Pass(length);
            }
            else if (walk.TrySkip())
            {
                NoteMember(name, body, start, (int)walk.Position);
            }
            else
            {
                return false;
            }
        }

        return false;
    }

    private void NoteUsage(in Usage usage, int start, int length)
    {
        _usage = usage;
        RawUsage = new SseRange(start, length);
    }

    private void NoteMember(ReadOnlySpan<byte> name, ReadOnlySpan<byte> body, int start, int end)
    {
        switch (name.Length)
        {
            case 2 when name.SequenceEqual("id"u8):
                Id = body[start] == '"' ? new SseRange(start, end - start) : default;
                break;
            case 5 when name.SequenceEqual("model"u8):
                Model = body[start] == '"' ? new SseRange(start, end - start) : default;
                break;
            case 5 when name.SequenceEqual("error"u8):
                _error = body[start] != 'n' ? new SseRange(start, end - start) : _error;
                break;
            case 6 when name.SequenceEqual("object"u8):
                NoteKind(body[start..end]);
                break;
            case 5 when body[start] == '{' && name.SequenceEqual("usage"u8):
                ReadUsage(body[start..end], start);
                break;
            case 12 when name.SequenceEqual("service_tier"u8):
                NoteTier(body[start..end]);
                break;
        }
    }

    private void NoteKind(ReadOnlySpan<byte> text) =>
        _isResponse = text.SequenceEqual("\"response\""u8) || (text[0] == '"' && text.Contains((byte)'\\') && IsResponse(text));

    private void NoteTier(ReadOnlySpan<byte> text)
    {
        if (ServiceTier.Known(text) is { } tier)
        {
            _tier = tier;
        }
        else
        {
            ReadTier(text);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadUsage(ReadOnlySpan<byte> text, int start)
    {
        var reader = new Utf8JsonReader(text, _options);
        reader.Read();
        NoteUsage(UsageReader.Read(ref reader), start, text.Length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadTier(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, _options);
        reader.Read();
        _tier = ServiceTier.Read(ref reader, _tier);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsResponse(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, _options);
        return reader.Read() && reader.Is("response"u8);
    }

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.Is("usage"u8))
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                var start = (int)reader.TokenStartIndex;
                _usage = UsageReader.Read(ref reader);
                RawUsage = new SseRange(start, (int)reader.BytesConsumed - start);
            }
        }
        else if (reader.Is("service_tier"u8))
        {
            reader.Read();
            _tier = ServiceTier.Read(ref reader, _tier);
        }
        else if (reader.Is("error"u8))
        {
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var isThere = reader.TokenType != JsonTokenType.Null;
            reader.Skip();
            _error = isThere ? new SseRange(start, (int)reader.BytesConsumed - start) : _error;
        }
        else if (reader.Is("model"u8))
        {
            reader.Read();
            Model = TextOf(ref reader);
        }
        else if (reader.Is("object"u8))
        {
            reader.Read();
            _isResponse = reader.TokenType == JsonTokenType.String && reader.Is("response"u8);
        }
        else if (reader.Is("id"u8))
        {
            reader.Read();
            Id = TextOf(ref reader);
        }
        else
        {
            reader.Read();
        }

        reader.Skip();
    }

    private static SseRange TextOf(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.String
        ? new SseRange((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex))
        : default;
}
