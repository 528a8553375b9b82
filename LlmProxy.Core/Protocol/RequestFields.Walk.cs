using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for a body with plain names.</summary>
internal sealed partial class RequestFields
{
    private static readonly RecentTexts _models = new();

    // Visible ASCII and the space, without quote and backslash.
    private static readonly SearchValues<byte> _plainText =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(static c => (byte)c).Where(static c => c is not ((byte)'"' or (byte)'\\'))]);

    /// <summary>Reads a body as <see cref="Read(ref Utf8JsonReader)"/> does.</summary>
    /// <returns>False if that has to be asked: the body is not plain, or not JSON.</returns>
    private bool TryWalk(in ReadOnlySequence<byte> body, ReadOnlySpan<byte> first, out ProxyError? error)
    {
        error = null;
        var walk = new JsonWalk(body, first);
        if (!walk.TryOpen())
        {
            return false;
        }

        Opening = walk.Position;
        long previousEnd = 0;
        var isBehindField = false;
        while (true)
        {
            if (!walk.TryNext(out var start, out var name, out var hasMember))
            {
                return false;
            }

            if (!hasMember)
            {
                error = walk.IsAtEnd() ? CheckAll() ?? error : null;
                return walk.IsAtEnd();
            }

            MemberCount++;
            if (isBehindField)
            {
                Last.NextStart = start;
            }

            if (!Ascii.IsValid(name))
            {
                return false;
            }

            var index = Names.Find(name, out var isExact);
            var valueStart = walk.Position;
            var type = TypeOf(walk.First);
            if (!walk.TrySkip())
            {
                return false;
            }

            isBehindField = Names.IsActedOn(index);
            if (isBehindField)
            {
                Add(new RequestField(index, isExact, false, type, start, valueStart, previousEnd)).ValueEnd = walk.Position;
            }

            if (index >= 0 && isExact)
            {
                var noted = Note(index, body, first, valueStart, walk.Position);
                error ??= noted;
            }

            previousEnd = walk.Position;
        }
    }

    private ProxyError? Note(int name, in ReadOnlySequence<byte> body, ReadOnlySpan<byte> first, long start, long end)
    {
        // In the first piece, which is mostly the only one.
        if (end <= first.Length)
        {
            var bytes = first[(int)start..(int)end];
            return Names.RoleOf(name) == IdentityRole.None && TryTakePlain(name, bytes) ? null : Note(name, bytes);
        }

        var text = body.Slice(start, end - start);
        return text.IsSingleSegment && Names.RoleOf(name) == IdentityRole.None && TryTakePlain(name, text.FirstSpan) ? null : Note(name, text);
    }

    // By themselves: room for a reader is cleared at each call of a method that has one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ProxyError? Note(int name, ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, _options);
        return Note(name, ref reader);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ProxyError? Note(int name, in ReadOnlySequence<byte> text)
    {
        var reader = new Utf8JsonReader(text, _options);
        return Note(name, ref reader);
    }

    private ProxyError? Note(int name, ref Utf8JsonReader value)
    {
        value.Read();
        var error = Names.IsActedOn(name) ? Take(name, ref value) : null;
        _identity?.Value.Take(Names.RoleOf(name), ref value, isChecked: true);
        return error;
    }

    /// <summary>Takes the fields that many requests have, written as they are nearly always written: without a reader of their own.</summary>
    private bool TryTakePlain(int name, ReadOnlySpan<byte> text) => name switch
    {
        FieldNames.Model => TryTakePlainModel(text),
        FieldNames.Stream => TryTakePlainStream(text[0]),
        FieldNames.StreamOptions => TryTakePlainStreamOptions(text),

        // Of those it is enough to know that they are there.
        _ => name >= FieldNames.MaxTokens,
    };

    private bool TryTakePlainModel(ReadOnlySpan<byte> text)
    {
        if (text.Length <= 2 || text.Length - 2 > LongestModel || text[0] != '"' || _hasModel || text[1..^1].ContainsAnyExcept(_plainText))
        {
            return false;
        }

        Model = _models.Of(text[1..^1]);
        return true;
    }

    private bool TryTakePlainStream(byte first)
    {
        Stream = first == 't';
        return first is (byte)'t' or (byte)'f';
    }

    private bool TryTakePlainStreamOptions(ReadOnlySpan<byte> text)
    {
        var name = "{\"include_usage\":"u8;
        if (!text.StartsWith(name))
        {
            return false;
        }

        var start = text[name.Length] == ' ' ? name.Length + 1 : name.Length;
        if (!text[start..].SequenceEqual("true}"u8))
        {
            return false;
        }

        IncludesUsage = true;
        UsageFlag = new SseRange(start, 4);
        return true;
    }

    private static JsonTokenType TypeOf(byte first) => (char)first switch
    {
        '{' => JsonTokenType.StartObject,
        '[' => JsonTokenType.StartArray,
        '"' => JsonTokenType.String,
        't' => JsonTokenType.True,
        'f' => JsonTokenType.False,
        'n' => JsonTokenType.Null,
        _ => JsonTokenType.Number,
    };
}
