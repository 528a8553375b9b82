using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for a body with plain names.</summary>
internal sealed partial class RequestFields
{
    // Visible ASCII and the space, without quote and backslash.
    private static readonly SearchValues<byte> _plainText =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(static c => (byte)c).Where(static c => c is not ((byte)'"' or (byte)'\\'))]);

    /// <summary>Reads a body as <see cref="Read(ref Utf8JsonReader)"/> does.</summary>
    /// <returns>False if that has to be asked: the body is not plain, or not JSON.</returns>
    private bool TryWalk(in ReadOnlySequence<byte> body, out ProxyError? error)
    {
        error = null;
        var walk = new JsonWalk(body);
        if (!walk.TryOpen())
        {
            return false;
        }

        Opening = walk.Position;
        long previousEnd = -1;
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
            var first = walk.First;
            if (!walk.TrySkip())
            {
                return false;
            }

            isBehindField = Names.IsActedOn(index);
            if (isBehindField)
            {
                _fields.Add(new RequestField(index, isExact, false, TypeOf(first), start, valueStart, walk.Position, previousEnd, -1));
            }

            if (index >= 0 && isExact)
            {
                var noted = Note(index, body, valueStart, walk.Position);
                error ??= noted;
            }

            previousEnd = walk.Position;
        }
    }

    private ProxyError? Note(int name, in ReadOnlySequence<byte> body, long start, long end)
    {
        var isWhole = body.IsSingleSegment;
        var text = isWhole ? default : body.Slice(start, end - start);
        var bytes = isWhole ? body.FirstSpan[(int)start..(int)end] : text.FirstSpan;
        isWhole |= text.IsSingleSegment;
        return isWhole && Names.RoleOf(name) == IdentityRole.None && TryTakePlain(name, bytes)
            ? null
            : Note(name, isWhole ? new Utf8JsonReader(bytes, _options) : new Utf8JsonReader(text, _options));
    }

    private ProxyError? Note(int name, Utf8JsonReader value)
    {
        value.Read();
        var error = Names.IsActedOn(name) ? Take(name, ref value) : null;
        _identity.Take(Names.RoleOf(name), ref value, isChecked: true);
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

        Model = Encoding.ASCII.GetString(text[1..^1]);
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

    private ref RequestField Last => ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_fields)[^1];
}
