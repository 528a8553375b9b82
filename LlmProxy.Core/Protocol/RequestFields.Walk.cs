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
            var place = new RequestField(index, isExact, false, default, start, valueStart, walk.Position, previousEnd, -1);
            error ??= Note(body[valueStart..walk.Position], place, isBehindField);
            previousEnd = walk.Position;
        }
    }

    /// <summary>Reads the value of a member that somebody acts on, or that tells whose the request is.</summary>
    private ProxyError? Note(ReadOnlySpan<byte> text, RequestField place, bool isActedOn)
    {
        var role = place.Name >= 0 && place.IsExact ? Names.RoleOf(place.Name) : IdentityRole.None;
        if (!isActedOn && role == IdentityRole.None)
        {
            return null;
        }

        ProxyError? error = null;
        var value = new Utf8JsonReader(text, _options);
        value.Read();
        if (isActedOn)
        {
            _fields.Add(place with { Type = value.TokenType });
            error = place.IsExact ? Take(place.Name, ref value) : null;
        }

        _identity.Take(role, ref value);
        return error;
    }

    private ref RequestField Last => ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_fields)[^1];

    private static bool IsPlain(ReadOnlySpan<byte> name) => Ascii.IsValid(name) && !name.Contains((byte)'\\');
}
