using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>What is cut by the end of a piece, byte by byte.</summary>
internal ref partial struct JsonWalk
{
    // The end of the object, a member that the end of a piece cuts, or no JSON.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryNextByToken(out long start, out ReadOnlySpan<byte> name, out bool hasMember)
    {
        var next = Peek();
        name = default;
        hasMember = next != '}';
        if (!hasMember)
        {
            start = Position;
            return Take();
        }

        if (_hasMember)
        {
            if (next != ',')
            {
                start = Position;
                return false;
            }

            _at++;
            next = Peek();
        }

        start = Position;
        _hasMember = true;
        if (next != '"' || !TryTakeName(out name) || Peek() != ':')
        {
            return false;
        }

        _at++;
        return Peek() >= 0;
    }

    private bool TryTakeName(out ReadOnlySpan<byte> name)
    {
        var end = JsonScalar.EndOfPlainString(_json, _at);
        if (end >= 0)
        {
            name = _json[(_at + 1)..(end - 1)];
            _at = end;
            return true;
        }

        var joined = _hasNext ? TakeCutName() : null;
        name = joined;
        return joined is not null;
    }

    // Hardly ever: a server's pieces are far longer than names.
    private byte[]? TakeCutName()
    {
        var bytes = new byte[LongestCutName];
        for (var count = 0; count < LongestCutName; count++)
        {
            _at++;
            switch (Current())
            {
                case '"':
                    _at++;
                    return bytes[..count];
                case '\\' or < ' ':
                    return null;
                case var next:
                    bytes[count] = (byte)next;
                    break;
            }
        }

        return null;
    }

    /// <summary>Takes one token, wherever its bytes are.</summary>
    /// <returns>False if there is none, or not the one that has to come.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTakeOne(ref JsonNesting nesting)
    {
        var next = Peek();
        switch (nesting.Expected)
        {
            case JsonExpected.ElementOrEnd when next == ']':
            case JsonExpected.NameOrEnd when next == '}':
            case JsonExpected.CommaOrEnd when next == nesting.Closing:
                nesting.Close(0);
                return Take();
            case JsonExpected.CommaOrEnd:
                nesting.Expected = nesting.BehindComma;
                return next == ',' && Take();
            case JsonExpected.Colon:
                nesting.Expected = JsonExpected.Value;
                return next == ':' && Take();
            case JsonExpected.Name or JsonExpected.NameOrEnd:
                nesting.Expected = JsonExpected.Colon;
                return next == '"' && TryPassString();
            default:
                return next is '{' or '[' ? nesting.TryOpen(next == '{') && Take() : TryPassScalar(next, ref nesting);
        }
    }

    private bool TryPassScalar(int next, ref JsonNesting nesting)
    {
        nesting.Expected = JsonExpected.CommaOrEnd;
        return next switch
        {
            '"' => TryPassString(),
            't' => TryPassWord("true"u8),
            'f' => TryPassWord("false"u8),
            'n' => TryPassWord("null"u8),
            _ => TryPassNumber(),
        };
    }

    private bool TryPassString()
    {
        _at++;
        while (true)
        {
            if (Current() < 0)
            {
                return false;
            }

            _at = JsonScalar.EndOfPlain(_json, _at);
            if (_at == _json.Length)
            {
                continue;
            }

            switch (_json[_at++])
            {
                case (byte)'"':
                    return true;
                case (byte)'\\' when TryPassEscape():
                    break;
                default:
                    return false;
            }
        }
    }

    // Behind the backslash.
    private bool TryPassEscape()
    {
        var next = Current();
        _at++;
        if (next != 'u')
        {
            return next is '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't';
        }

        for (var i = 0; i < 4; i++, _at++)
        {
            if (Current() is var digit && (digit < 0 || !char.IsAsciiHexDigit((char)digit)))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryPassWord(ReadOnlySpan<byte> word)
    {
        foreach (var letter in word)
        {
            if (Current() != letter)
            {
                return false;
            }

            _at++;
        }

        return true;
    }

    // RFC 8259, 6: [ minus ] int [ frac ] [ exp ].
    private bool TryPassNumber()
    {
        if (Current() == '-')
        {
            _at++;
        }

        if (Current() == '0')
        {
            _at++;
        }
        else if (!TryPassDigits())
        {
            return false;
        }

        if (Current() == '.')
        {
            _at++;
            if (!TryPassDigits())
            {
                return false;
            }
        }

        if (Current() is not ('e' or 'E'))
        {
            return true;
        }

        _at++;
        if (Current() is '+' or '-')
        {
            _at++;
        }

        return TryPassDigits();
    }

    private bool TryPassDigits()
    {
        var hasAny = false;
        while (Current() is >= '0' and <= '9')
        {
            _at++;
            hasAny = true;
        }

        return hasAny;
    }
}
