namespace LlmProxy.Tests.Architecture;

/// <summary>
/// Blanks comments and the inside of string and character literals out of C# text, so that braces and words that are left
/// are code. Line breaks stay where they are.
/// </summary>
internal ref struct CodeOnly
{
    private readonly ReadOnlySpan<char> _text;
    private readonly char[] _code;
    private int _at;

    private CodeOnly(ReadOnlySpan<char> text)
    {
        _text = text;
        _code = new char[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            _code[i] = text[i] == '\n' ? '\n' : ' ';
        }
    }

    public static string Of(string text)
    {
        var scan = new CodeOnly(text);
        scan.Code(untilBraces: 0);
        return new string(scan._code);
    }

    private readonly char Peek(int ahead) => _at + ahead < _text.Length ? _text[_at + ahead] : '\0';

    private readonly int Run(char c, int from)
    {
        var n = 0;
        while (from + n < _text.Length && _text[from + n] == c)
        {
            n++;
        }

        return n;
    }

    /// <summary>Copies code up to the end, or up to the braces that close a hole of an interpolated string.</summary>
    private void Code(int untilBraces)
    {
        var depth = 0;
        while (_at < _text.Length)
        {
            var c = _text[_at];
            if (untilBraces > 0 && depth == 0 && c == '}')
            {
                return;
            }

            if (c == '/' && Peek(1) == '/')
            {
                Skip(_text[_at..].IndexOf('\n'));
            }
            else if (c == '/' && Peek(1) == '*')
            {
                var end = _text[(_at + 2)..].IndexOf("*/");
                Skip(end < 0 ? -1 : end + 4);
            }
            else if (c == '\'')
            {
                Character();
            }
            else if (c == '"' || (c is '$' or '@' && StartsLiteral()))
            {
                Literal();
            }
            else
            {
                depth += c switch { '{' => 1, '}' => -1, _ => 0 };
                _code[_at++] = c;
            }
        }
    }

    private void Skip(int count) => _at = count < 0 ? _text.Length : Math.Min(_at + count, _text.Length);

    private void Character()
    {
        _at++;
        while (_at < _text.Length && _text[_at] is not ('\'' or '\n'))
        {
            _at += _text[_at] == '\\' ? 2 : 1;
        }

        _at++;
    }

    private readonly bool StartsLiteral()
    {
        var i = _at;
        while (i < _text.Length && _text[i] is '$' or '@')
        {
            i++;
        }

        return i < _text.Length && _text[i] == '"';
    }

    private void Literal()
    {
        var dollars = 0;
        var verbatim = false;
        for (; _text[_at] != '"'; _at++)
        {
            dollars += _text[_at] == '$' ? 1 : 0;
            verbatim |= _text[_at] == '@';
        }

        var quotes = Run('"', _at);
        var raw = quotes >= 3;
        _code[_at] = '"';
        _at += raw ? quotes : 1;
        while (_at < _text.Length)
        {
            var c = _text[_at];
            if (c == '"' && raw && Run('"', _at) >= quotes)
            {
                _at += Run('"', _at);
                break;
            }

            if (c == '"' && !raw && !(verbatim && Peek(1) == '"'))
            {
                _at++;
                break;
            }

            if (c == '{' && dollars > 0)
            {
                Hole(raw ? dollars : 1, raw);
            }
            else
            {
                _at += !raw && ((c == '\\' && !verbatim) || (c == '"' && verbatim)) ? 2 : 1;
            }
        }

        _code[Math.Min(_at, _text.Length) - 1] = '"';
    }

    /// <summary>A hole <c>{…}</c>; what stands in it is skipped with the literal, nested literals and braces minded.</summary>
    private void Hole(int braces, bool raw)
    {
        var run = Run('{', _at);
        if (run < braces || (!raw && run % 2 == 0))
        {
            _at += run;
            return;
        }

        _at += run;
        var inner = new CodeOnly(_text) { _at = _at };
        inner.Code(braces);
        _at = Math.Min(inner._at + braces, _text.Length);
    }
}
