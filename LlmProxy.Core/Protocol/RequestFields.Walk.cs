using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The quick way, for a body in one piece with plain names.</summary>
internal sealed partial class RequestFields
{
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

            if (!IsPlain(name))
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
        var value = new Utf8JsonReader(body[(int)field.ValueStart..(int)field.ValueEnd], _options);
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

    private ref RequestField Last => ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_fields)[^1];

    private static bool IsPlain(ReadOnlySpan<byte> name) => Ascii.IsValid(name) && !name.Contains((byte)'\\');
}
