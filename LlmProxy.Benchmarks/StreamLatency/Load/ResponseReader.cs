using System.Buffers.Text;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Reads an answer as its bytes come, and says whether it was whole.</summary>
internal sealed class ResponseReader
{
    private Step _step;
    private LineBuffer _frame;
    private LineBuffer _text;
    private long _left;
    private bool _isChunked;
    private bool _isDone;

    private enum Step
    {
        Status,
        Fields,
        ChunkSize,
        Chunk,
        ChunkEnd,
        Trailers,
        Body,
        Complete,
    }

    public int Status { get; private set; }

    /// <summary>The server said that it closes the connection after this answer.</summary>
    public bool Closes { get; private set; }

    /// <summary>Events that carried the upstream's clock.</summary>
    public int Events { get; private set; }

    /// <summary>When the first byte of the body had come; 0: none yet.</summary>
    public long FirstAt { get; private set; }

    public bool IsComplete => _step == Step.Complete;

    /// <summary>The answer had all that it was to have: the events and <c>[DONE]</c> of a stream, or all bytes of another.</summary>
    public bool IsWhole(bool stream, int events) => IsComplete && Status == 200 && (!stream || (_isDone && Events == events));

    public void Reset()
    {
        (_step, _left, _isChunked, _isDone) = (Step.Status, 0, false, false);
        (Status, Closes, Events, FirstAt) = (0, false, 0, 0);
        _frame.Clear();
        _text.Clear();
    }

    /// <param name="bytes">The next bytes of the connection.</param>
    /// <param name="now">When they had come, as <see cref="System.Diagnostics.Stopwatch"/> counts.</param>
    /// <param name="latencies">Gets the time that each event was on its way; null: nobody asks.</param>
    /// <exception cref="FormatException">This is no answer, or more than one.</exception>
    public void Read(ReadOnlySpan<byte> bytes, long now, LatencyHistogram? latencies)
    {
        while (!bytes.IsEmpty)
        {
            switch (_step)
            {
                case Step.Chunk or Step.Body:
                    var length = (int)Math.Min(_left, bytes.Length);
                    ReadText(bytes[..length], now, latencies);
                    bytes = bytes[length..];
                    _left -= length;
                    if (_left == 0)
                    {
                        _step = _step == Step.Chunk ? Step.ChunkEnd : Step.Complete;
                    }

                    break;
                case Step.Complete:
                    throw new FormatException("There are bytes behind the answer.");
                default:
                    if (_frame.TryTake(ref bytes, out var line))
                    {
                        ReadFrame(line);
                    }

                    break;
            }
        }
    }

    private void ReadFrame(ReadOnlySpan<byte> line)
    {
        switch (_step)
        {
            case Step.Status:
                if (!line.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(line[9..], out int status, out _))
                {
                    throw new FormatException("The answer does not begin as one.");
                }

                Status = status;
                _step = Step.Fields;
                break;
            case Step.Fields when line.IsEmpty:
                _step = Status == 100 ? Step.Status : _isChunked ? Step.ChunkSize : _left > 0 ? Step.Body : Step.Complete;
                break;
            case Step.Fields:
                ReadField(line);
                break;
            case Step.ChunkSize:
                if (!Utf8Parser.TryParse(line, out _left, out _, 'x'))
                {
                    throw new FormatException("A chunk without its size.");
                }

                _step = _left > 0 ? Step.Chunk : Step.Trailers;
                break;
            case Step.ChunkEnd:
                _step = Step.ChunkSize;
                break;
            case Step.Trailers when line.IsEmpty:
                _step = Step.Complete;
                break;
        }
    }

    private void ReadField(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon < 0)
        {
            throw new FormatException("A header without its name.");
        }

        var name = line[..colon];
        var value = line[(colon + 1)..].Trim((byte)' ');
        if (System.Text.Ascii.EqualsIgnoreCase(name, "Content-Length"u8))
        {
            _left = Utf8Parser.TryParse(value, out long length, out _) ? length : throw new FormatException("A length that is none.");
        }
        else if (System.Text.Ascii.EqualsIgnoreCase(name, "Transfer-Encoding"u8))
        {
            _isChunked = true;
        }
        else if (System.Text.Ascii.EqualsIgnoreCase(name, "Connection"u8))
        {
            Closes = System.Text.Ascii.EqualsIgnoreCase(value, "close"u8);
        }
    }

    private void ReadText(ReadOnlySpan<byte> bytes, long now, LatencyHistogram? latencies)
    {
        if (FirstAt == 0)
        {
            FirstAt = now;
        }

        // A whole answer is counted by its length; only streams have lines.
        while (_isChunked && _text.TryTake(ref bytes, out var line))
        {
            if (!line.StartsWith("data: "u8))
            {
                continue;
            }

            if (line[6..].SequenceEqual("[DONE]"u8))
            {
                _isDone = true;
            }
            else if (line.IndexOf(Wire.Clock) is > 0 and var at && Utf8Parser.TryParse(line[(at + Wire.Clock.Length)..], out long sent, out _))
            {
                Events++;
                latencies?.Add(now - sent);
            }
        }
    }
}
