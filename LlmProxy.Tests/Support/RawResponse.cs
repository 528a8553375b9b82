using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmProxy.Tests.Support;

/// <summary>How the body of a response ended.</summary>
public enum BodyEnd
{
    /// <summary>It is still coming, or was not read on.</summary>
    Open,

    /// <summary>By its framing: last chunk, length, or close where the close is the end.</summary>
    Whole,

    /// <summary>The connection was closed (FIN) inside the body.</summary>
    Unterminated,

    /// <summary>The connection was reset inside the body.</summary>
    Reset,
}

/// <summary>A response as it comes off the wire.</summary>
public sealed class RawResponse
{
    private readonly WireReader _reader;
    private readonly MemoryStream _body = new();
    private readonly List<byte[]> _chunks = [];
    private readonly List<Arrival> _arrivals = [];
    private readonly bool _chunked;
    private readonly long? _length;

    internal RawResponse(WireReader reader, byte[] head, bool bodyless)
    {
        _reader = reader;
        Headers = WireHeaders.Parse(head);
        Status = int.Parse(Headers.StartLine.Split(' ')[1], CultureInfo.InvariantCulture);
        _chunked = Headers["Transfer-Encoding"] == "chunked";
        _length = bodyless || Status is 204 or 304 or < 200 ? 0
            : Headers["Content-Length"] is { } length ? long.Parse(length, CultureInfo.InvariantCulture) : null;
        End = _length == 0 ? BodyEnd.Whole : BodyEnd.Open;
    }

    public int Status { get; }

    public WireHeaders Headers { get; }

    public BodyEnd End { get; private set; }

    /// <summary>The body so far, without its transfer coding.</summary>
    public ReadOnlyMemory<byte> Body => _body.GetBuffer().AsMemory(0, (int)_body.Length);

    public string Text => Encoding.UTF8.GetString(Body.Span);

    public JsonObject Json => JsonNode.Parse(Body.Span)!.AsObject();

    /// <summary>The payload of each chunk so far.</summary>
    public IReadOnlyList<byte[]> Chunks => _chunks;

    /// <summary>When the body had grown by how much.</summary>
    public IReadOnlyList<Arrival> Arrivals => _arrivals;

    /// <summary>Reads until the body holds the text.</summary>
    public Task<RawResponse> ReadUntilAsync(string text) =>
        ReadUntilAsync(r => r.Text.Contains(text, StringComparison.Ordinal), $"the text {text}");

    /// <summary>Reads until it is so; fails if the body ends first.</summary>
    public async Task<RawResponse> ReadUntilAsync(Func<RawResponse, bool> condition, string what)
    {
        using CancellationTokenSource deadline = Deadline.Source();
        while (!condition(this))
        {
            if (!await StepAsync(what, deadline.Token))
            {
                throw new EndOfStreamException($"The body ended ({End}) before there was {what}. It is:\n{Text}");
            }
        }

        return this;
    }

    /// <summary>Reads the body to its end, however it ends.</summary>
    public async Task<RawResponse> ReadToEndAsync()
    {
        using CancellationTokenSource deadline = Deadline.Source();
        while (await StepAsync("the end of the body", deadline.Token))
        {
        }

        return this;
    }

    /// <returns>False when the body has ended.</returns>
    private async Task<bool> StepAsync(string what, CancellationToken deadline)
    {
        if (End != BodyEnd.Open)
        {
            return false;
        }

        try
        {
            if (!(_chunked ? await ReadChunkAsync(deadline) : await ReadPlainAsync(deadline)))
            {
                End = _chunked || _length is not null ? BodyEnd.Unterminated : BodyEnd.Whole;
            }
        }
        catch (IOException e) when (e.InnerException is SocketException)
        {
            End = BodyEnd.Reset;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Not within {Deadline.Default.TotalSeconds} s: {what}. Status {Status}, body so far:\n{Text}");
        }

        return End == BodyEnd.Open;
    }

    private async Task<bool> ReadChunkAsync(CancellationToken deadline)
    {
        if (await _reader.ReadLineAsync(deadline) is not { } line)
        {
            return false;
        }

        int size = int.Parse(line.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        if (size == 0)
        {
            return await ReadTrailersAsync(deadline);
        }

        if (await _reader.ReadExactlyAsync(size, deadline) is not { } chunk || await _reader.ReadLineAsync(deadline) is not { } end)
        {
            return false;
        }

        if (end.Length > 0)
        {
            throw new InvalidDataException($"A chunk of {size} bytes is followed by {end}");
        }

        _chunks.Add(chunk);
        Add(chunk);
        return true;
    }

    private async Task<bool> ReadTrailersAsync(CancellationToken deadline)
    {
        while (await _reader.ReadLineAsync(deadline) is { } trailer)
        {
            if (trailer.Length == 0)
            {
                End = BodyEnd.Whole;
                return true;
            }
        }

        return false;
    }

    private async Task<bool> ReadPlainAsync(CancellationToken deadline)
    {
        if (_reader.Buffered.Length == 0 && !await _reader.FillAsync(deadline))
        {
            return false;
        }

        long wanted = (_length ?? long.MaxValue) - _body.Length;
        Add(_reader.Take((int)Math.Min(_reader.Buffered.Length, wanted)));
        if (_body.Length == _length)
        {
            End = BodyEnd.Whole;
        }

        return true;
    }

    private void Add(byte[] bytes)
    {
        _body.Write(bytes);
        _arrivals.Add(new Arrival(Stopwatch.GetTimestamp(), bytes.Length));
    }
}
