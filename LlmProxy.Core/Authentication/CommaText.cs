using System.Text;

namespace LlmProxy.Core.Authentication;

/// <summary>Text with commas (RFC 4180), row by row: quotes around a value that holds a comma, a quote (then doubled) or a line's end.</summary>
internal sealed class CommaText(string text)
{
    private int _at;

    /// <summary>Where the reader is, from 1.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>The line of a quote that nothing closes; 0 if there is none.</summary>
    public int OpenQuote { get; private set; }

    /// <summary>The next row that holds anything, or null.</summary>
    public (int Line, List<string> Cells)? Read()
    {
        while (_at < text.Length)
        {
            var line = Line;
            var cells = new List<string> { ReadCell() };
            while (_at < text.Length && text[_at] == ',')
            {
                _at++;
                cells.Add(ReadCell());
            }

            if (_at < text.Length)
            {
                _at++;
                Line++;
            }

            if (cells.Count > 1 || cells[0].Length > 0)
            {
                return (line, cells);
            }
        }

        return null;
    }

    /// <summary>Up to a comma, the line's end, or the end; blanks around it are not part of it.</summary>
    private string ReadCell()
    {
        while (_at < text.Length && text[_at] is ' ' or '\t')
        {
            _at++;
        }

        if (_at < text.Length && text[_at] == '"')
        {
            return ReadQuoted() + ReadPlain();
        }

        return ReadPlain();
    }

    private string ReadPlain()
    {
        var length = text.AsSpan(_at).IndexOfAny(',', '\n');
        var cell = length < 0 ? text[_at..] : text.Substring(_at, length);
        _at += cell.Length;
        return cell.Trim();
    }

    private string ReadQuoted()
    {
        var cell = new StringBuilder();
        var began = Line;
        for (_at++; _at < text.Length; _at++)
        {
            var isQuote = text[_at] == '"';
            if (isQuote && (_at + 1 == text.Length || text[_at + 1] != '"'))
            {
                _at++;
                return cell.ToString();
            }

            _at += isQuote ? 1 : 0;
            Line += text[_at] == '\n' ? 1 : 0;
            cell.Append(text[_at]);
        }

        OpenQuote = began;
        return cell.ToString();
    }
}
