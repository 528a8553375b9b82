using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for a body in one piece with plain names.</summary>
internal sealed partial class RequestFields
{
    // Visible ASCII and the space, without quote and backslash.
    private static readonly SearchValues<byte> _plainText =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(static c => (byte)c).Where(static c => c is not ((byte)'"' or (byte)'\\'))]);

    /// <summary>Reads a body as <see cref="Read(ref Utf8JsonReader)"/> does.</summary>
    /// <returns>False if that has to be asked: the body is not plain, or not JSON.</returns>
    private bool TryWalk(ReadOnlySpan<byte> body, out ProxyError? error)
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

    private ProxyError? Note(RequestField field, ReadOnlySpan<byte> body)
    {
        var text = body[(int)field.ValueStart..(int)field.ValueEnd];
        if (field is { IsExact: true, Name: FieldNames.Model or FieldNames.Stream } && Names.RoleOf(field.Name) == IdentityRole.None && TryTakePlain(field, text))
        {
            return null;
        }

        var value = new Utf8JsonReader(text, _options);
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

    /// <summary>Takes the two fields that nearly every request has, written as they are nearly always written: without a reader of their own.</summary>
    private bool TryTakePlain(RequestField field, ReadOnlySpan<byte> text)
    {
        if (field.Name == FieldNames.Stream)
        {
            if (text[0] is not ((byte)'t' or (byte)'f'))
            {
                return false;
            }

            Stream = text[0] == 't';
            _fields.Add(field with { Type = Stream ? JsonTokenType.True : JsonTokenType.False });
            return true;
        }

        if (text.Length <= 2 || text.Length - 2 > LongestModel || text[0] != '"' || _hasModel || text[1..^1].ContainsAnyExcept(_plainText))
        {
            return false;
        }

        Model = Encoding.ASCII.GetString(text[1..^1]);
        _fields.Add(field with { Type = JsonTokenType.String });
        return true;
    }

    private ref RequestField Last => ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_fields)[^1];
}
