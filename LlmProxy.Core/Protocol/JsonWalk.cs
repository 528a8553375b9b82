using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Goes once over a JSON object that lies in one piece, stops at each member of its top level and passes over everything else
/// with its grammar checked: several times as fast as a reader that stops at each token. It says no to whatever it does not
/// take for plain JSON, deep nesting and members of its own whose names have escapes included; what is wrong with it, if anything, the runtime's reader says then.
/// </summary>
/// <param name="json">The object, and nothing else but white space.</param>
internal ref struct JsonWalk(ReadOnlySpan<byte> json)
{
    // One bit each.
    private const int DeepestNesting = 64;

    private readonly ReadOnlySpan<byte> _json = json;
    private int _at;
    private bool _hasMember;

    /// <summary>Where it stands.</summary>
    public readonly int Position => _at;

    /// <summary>Enters the object; <see cref="Position"/> is behind its opening brace then.</summary>
    public bool TryOpen() => Peek() == '{' && Take();

    /// <summary>The next member, if there is one: <see cref="Position"/> is at the first byte of its value then.</summary>
    /// <param name="start">Of its name, at the opening quote.</param>
    /// <param name="name">What is between the quotes.</param>
    /// <param name="hasMember">False behind the last.</param>
    /// <returns>False if this is no plain JSON.</returns>
    public bool TryNext(out int start, out ReadOnlySpan<byte> name, out bool hasMember)
    {
        var next = Peek();
        start = _at;
        name = default;
        hasMember = next != '}';
        if (!hasMember)
        {
            return Take();
        }

        if (_hasMember)
        {
            if (next != ',')
            {
                return false;
            }

            _at++;
            next = Peek();
            start = _at;
        }

        _hasMember = true;
        var end = next == '"' ? JsonScalar.EndOfPlainString(_json, _at) : -1;
        if (end < 0)
        {
            return false;
        }

        name = _json[(start + 1)..(end - 1)];
        _at = SkipSpace(_json, end);
        if (_at >= _json.Length || _json[_at] != ':')
        {
            return false;
        }

        _at = SkipSpace(_json, _at + 1);
        return _at < _json.Length;
    }

    /// <summary>Nothing but white space follows.</summary>
    public bool IsAtEnd() => Peek() < 0;

    /// <summary>Passes over the value at which it stands.</summary>
    public bool TrySkip()
    {
        var end = EndOfValue(_json, _at);
        _at = Math.Max(end, _at);
        return end >= 0;
    }

    private static int EndOfValue(ReadOnlySpan<byte> json, int at)
    {
        // What is open; the innermost in the lowest bit: 1 for an object.
        var kinds = 0UL;
        var depth = 0;
        do
        {
            at = SkipSpace(json, at);
            var next = at < json.Length ? (char)json[at] : '\0';
            if (next is '{' or '[')
            {
                if (depth++ == DeepestNesting)
                {
                    return -1;
                }

                var isObject = next == '{';
                kinds = (kinds << 1) | (isObject ? 1UL : 0);
                at = SkipSpace(json, at + 1);
                if (at >= json.Length)
                {
                    return -1;
                }

                // An empty one is closed below.
                if (json[at] != (isObject ? '}' : ']'))
                {
                    at = isObject ? EndOfName(json, at) : at;
                    if (at < 0)
                    {
                        return -1;
                    }

                    continue;
                }
            }
            else
            {
                at = next == '"' ? JsonScalar.EndOfString(json, at) : JsonScalar.End(json, at);
                if (at < 0)
                {
                    return -1;
                }
            }

            at = Close(json, at, ref kinds, ref depth);
        }
        while (depth > 0 && at >= 0);

        return at;
    }

    /// <summary>Behind a value: closes what ends here, and goes to the next value if something is still open.</summary>
    private static int Close(ReadOnlySpan<byte> json, int at, ref ulong kinds, ref int depth)
    {
        while (depth > 0)
        {
            at = SkipSpace(json, at);
            if (at >= json.Length)
            {
                return -1;
            }

            var isObject = (kinds & 1) != 0;
            var next = json[at++];
            if (next == ',')
            {
                return isObject ? EndOfName(json, SkipSpace(json, at)) : at;
            }

            if (next != (isObject ? '}' : ']'))
            {
                return -1;
            }

            kinds >>= 1;
            depth--;
        }

        return at;
    }

    /// <summary>From a name's opening quote to behind its colon.</summary>
    private static int EndOfName(ReadOnlySpan<byte> json, int at)
    {
        at = at < json.Length && json[at] == '"' ? JsonScalar.EndOfString(json, at) : -1;
        if (at < 0)
        {
            return -1;
        }

        at = SkipSpace(json, at);
        return at < json.Length && json[at] == ':' ? at + 1 : -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SkipSpace(ReadOnlySpan<byte> json, int at) => (uint)at < (uint)json.Length && json[at] > ' ' ? at : SkipSpaces(json, at);

    private static int SkipSpaces(ReadOnlySpan<byte> json, int at)
    {
        while (at < json.Length && json[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
        {
            at++;
        }

        return at;
    }

    private bool Take()
    {
        _at++;
        return true;
    }

    /// <summary>The next byte that is not white space, and stands there; -1 at the end.</summary>
    private int Peek()
    {
        _at = SkipSpace(_json, _at);
        return _at < _json.Length ? _json[_at] : -1;
    }
}
