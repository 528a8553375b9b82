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
            if (!walk.TrySkip())
            {
                return false;
            }

            isBehindField = Names.IsActedOn(index);
            if (isBehindField || (index >= 0 && isExact))
            {
                var noted = Note(new RequestField(index, isExact, false, default, start, valueStart, walk.Position, previousEnd, -1), body);
                error ??= noted;
            }

            previousEnd = walk.Position;
        }
    }

    private ProxyError? Note(RequestField field, in ReadOnlySequence<byte> body)
    {
        var text = body.IsSingleSegment ? default : body.Slice(field.ValueStart, field.ValueEnd - field.ValueStart);
        var bytes = body.IsSingleSegment ? body.FirstSpan[(int)field.ValueStart..(int)field.ValueEnd] : text.FirstSpan;
        var isWhole = body.IsSingleSegment || text.IsSingleSegment;
        if (isWhole && Names.RoleOf(field.Name) == IdentityRole.None && TryTakePlain(field, bytes))
        {
            return null;
        }

        var value = isWhole ? new Utf8JsonReader(bytes, _options) : new Utf8JsonReader(text, _options);
        value.Read();
        ProxyError? error = null;
        if (Names.IsActedOn(field.Name))
        {
            _fields.Add(field with { Type = value.TokenType });
            error = field.IsExact ? Take(field.Name, ref value) : null;
        }

        if (field.IsExact)
        {
            _identity.Take(Names.RoleOf(field.Name), ref value);
        }

        return error;
    }

    /// <summary>Takes the fields that many requests have, written as they are nearly always written: without a reader of their own.</summary>
    private bool TryTakePlain(RequestField field, ReadOnlySpan<byte> text) => field switch
    {
        // Of those it is enough to know that they are there, and what they are.
        { IsExact: false } or { Name: >= FieldNames.MaxTokens } => TryAdd(field, TypeOf(text[0])),
        { Name: FieldNames.Stream } => TryTakePlainStream(field, text),
        { Name: FieldNames.StreamOptions } => TryTakePlainStreamOptions(field, text),
        { Name: FieldNames.Model } => TryTakePlainModel(field, text),
        _ => false,
    };

    private bool TryTakePlainStream(RequestField field, ReadOnlySpan<byte> text)
    {
        if (text[0] is not ((byte)'t' or (byte)'f'))
        {
            return false;
        }

        Stream = text[0] == 't';
        return TryAdd(field, TypeOf(text[0]));
    }

    private bool TryTakePlainStreamOptions(RequestField field, ReadOnlySpan<byte> text)
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
        return TryAdd(field, JsonTokenType.StartObject);
    }

    private bool TryTakePlainModel(RequestField field, ReadOnlySpan<byte> text)
    {
        if (text.Length <= 2 || text.Length - 2 > LongestModel || text[0] != '"' || _hasModel || text[1..^1].ContainsAnyExcept(_plainText))
        {
            return false;
        }

        Model = Encoding.ASCII.GetString(text[1..^1]);
        return TryAdd(field, JsonTokenType.String);
    }

    private bool TryAdd(RequestField field, JsonTokenType type)
    {
        _fields.Add(field with { Type = type });
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
