namespace LlmProxy.Core.Protocol;

/// <summary>
/// Finds the ends of server-sent events in bytes that arrive in any pieces. It copies nothing and looks at every byte once:
/// the caller keeps the bytes from the start of the current event on and hands them in again with more behind them.
/// </summary>
/// <remarks>
/// WHATWG HTML, "Interpreting an event stream": lines end in CRLF, LF or CR; a blank line ends an event; one byte order
/// mark at the start of the stream is ignored.
/// </remarks>
internal struct SseScanner
{
    private int _examined;
    private int _lineStart;
    private SseLines _lines;
    private SseRange _data;
    private SseRange _name;
    private bool _begun;
    private bool _afterCarriageReturn;

    /// <summary>The byte order mark.</summary>
    public static ReadOnlySpan<byte> Mark => "\uFEFF"u8;

    /// <summary>Bytes of the current event that have been looked at already.</summary>
    public readonly int Examined => _examined;

    /// <summary>What comes next is the first byte of an event, whatever it is: not the mark of a stream, not the rest of a line end.</summary>
    public readonly bool IsBetweenEvents => _begun && !_afterCarriageReturn && _examined == 0;

    /// <summary>Reads one event from the start of <paramref name="pending"/>.</summary>
    /// <returns>False if it is not complete yet; nothing is consumed then.</returns>
    public bool TryRead(ReadOnlySpan<byte> pending, out SseEvent found)
    {
        found = default;
        if (_examined == 0 && !TryBegin(pending))
        {
            return false;
        }

        while (true)
        {
            var offset = pending[_examined..].IndexOfAny((byte)'\n', (byte)'\r');
            if (offset < 0)
            {
                _examined = pending.Length;
                return false;
            }

            var end = _examined + offset;
            var next = end + 1;
            var endsInCarriageReturn = false;
            if (pending[end] == (byte)'\r')
            {
                if (next < pending.Length)
                {
                    next += pending[next] == (byte)'\n' ? 1 : 0;
                    endsInCarriageReturn = next == end + 1;
                }
                else if (end == _lineStart)
                {
                    // A blank line ends the event now, whether or not the LF of a CRLF is still to come.
                    endsInCarriageReturn = true;
                }
                else
                {
                    _examined = end;
                    return false;
                }
            }

            if (end == _lineStart)
            {
                found = new SseEvent(next, _lines, _data, _name);
                this = new SseScanner { _begun = true, _afterCarriageReturn = endsInCarriageReturn };
                return true;
            }

            Classify(pending[_lineStart..end]);
            _lineStart = _examined = next;
        }
    }

    private bool TryBegin(ReadOnlySpan<byte> pending)
    {
        if (pending.IsEmpty)
        {
            return false;
        }

        if (!_begun && pending[0] == 0xEF)
        {
            if (pending.Length < 3)
            {
                return false;
            }

            if (pending[1] == 0xBB && pending[2] == 0xBF)
            {
                _lineStart = _examined = 3;
                _lines |= SseLines.Cut | SseLines.Mark;
            }
        }
        else if (_afterCarriageReturn && pending[0] == (byte)'\n')
        {
            // The rest of the CRLF that ended the event before.
            _lineStart = _examined = 1;
        }

        _begun = true;
        return true;
    }

    private void Classify(ReadOnlySpan<byte> line)
    {
        switch (line[0])
        {
            case (byte)'d' when IsField(line, "data"u8, out var value):
                if (value.Length == 0)
                {
                    _lines |= SseLines.Cut;
                }
                else if ((_lines & SseLines.Data) == 0)
                {
                    _lines |= SseLines.Data;
                    _data = value with { Start = value.Start + _lineStart };
                }
                else
                {
                    _lines |= SseLines.MoreData;
                }

                break;
            case (byte)':':
                _lines |= SseLines.Comment;
                break;
            case (byte)'e' when IsField(line, "event"u8, out var name):
                _lines |= SseLines.Name;
                _name = name with { Start = name.Start + _lineStart };
                break;
            case 0xEF when line.StartsWith(Mark):
                // No field has such a name. If the client got it first, its mark would go and leave one.
                _lines |= SseLines.Cut;
                break;
            case (byte)'i' when IsField(line, "id"u8, out _):
            case (byte)'r' when IsField(line, "retry"u8, out _):
                _lines |= SseLines.Cut;
                break;
        }
    }

    /// <summary>"If the line contains a colon … collect the characters after it; if value starts with a space, remove it."</summary>
    public static bool IsField(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name, out SseRange value)
    {
        value = default;
        if (!line.StartsWith(name))
        {
            return false;
        }

        if (line.Length == name.Length)
        {
            value = new SseRange(line.Length, 0);
            return true;
        }

        if (line[name.Length] != (byte)':')
        {
            return false;
        }

        var start = name.Length + 1;
        if (start < line.Length && line[start] == (byte)' ')
        {
            start++;
        }

        value = new SseRange(start, line.Length - start);
        return true;
    }
}
