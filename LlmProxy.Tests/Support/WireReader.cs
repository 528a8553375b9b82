using System.Diagnostics;
using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>When some bytes came, as a <see cref="Stopwatch"/> timestamp.</summary>
public readonly record struct Arrival(long Timestamp, int Bytes);

/// <summary>A buffered reader of HTTP/1.1 that keeps every byte it ever got and when.</summary>
public sealed class WireReader(Stream stream)
{
    private readonly List<Arrival> _arrivals = [];
    private readonly MemoryStream _transcript = new();
    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    /// <summary>What was read and not yet consumed.</summary>
    public ReadOnlySpan<byte> Buffered => _buffer.AsSpan(_start, _end - _start);

    public IReadOnlyList<Arrival> Arrivals => _arrivals;

    /// <summary>Every byte that ever came.</summary>
    public ReadOnlyMemory<byte> Transcript => _transcript.GetBuffer().AsMemory(0, (int)_transcript.Length);

    /// <summary>Waits for more bytes; false at the end of the stream.</summary>
    public async Task<bool> FillAsync(CancellationToken cancellation)
    {
        MakeRoom();
        int count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
        if (count == 0)
        {
            return false;
        }

        _transcript.Write(_buffer, _end, count);
        _arrivals.Add(new Arrival(Stopwatch.GetTimestamp(), count));
        _end += count;
        return true;
    }

    public byte[] Take(int count)
    {
        byte[] taken = Buffered[..count].ToArray();
        _start += count;
        return taken;
    }

    /// <summary>The bytes up to and including the delimiter; null if the stream ended first.</summary>
    public async Task<byte[]?> ReadThroughAsync(byte[] delimiter, CancellationToken cancellation)
    {
        while (true)
        {
            int at = Buffered.IndexOf(delimiter);
            if (at >= 0)
            {
                return Take(at + delimiter.Length);
            }

            if (!await FillAsync(cancellation))
            {
                return null;
            }
        }
    }

    /// <summary>The head of a message, blank line included; null if the stream ended first.</summary>
    public Task<byte[]?> ReadHeadAsync(CancellationToken cancellation) => ReadThroughAsync("\r\n\r\n"u8.ToArray(), cancellation);

    /// <summary>A line without its end; null if the stream ended first.</summary>
    public async Task<string?> ReadLineAsync(CancellationToken cancellation)
    {
        byte[]? line = await ReadThroughAsync("\r\n"u8.ToArray(), cancellation);
        return line is null ? null : Encoding.Latin1.GetString(line, 0, line.Length - 2);
    }

    /// <summary>Exactly so many bytes; null if the stream ended first.</summary>
    public async Task<byte[]?> ReadExactlyAsync(int count, CancellationToken cancellation)
    {
        while (Buffered.Length < count)
        {
            if (!await FillAsync(cancellation))
            {
                return null;
            }
        }

        return Take(count);
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            Buffered.CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 4);
        }
    }
}
