using System.Buffers.Text;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmProxy.Core.Relaying;

/// <summary>
/// The response as the relay writes it, with its two endings. On HTTP/1.1 the chunks are framed here, so that a broken
/// answer can be delivered to its last event and still end without the last chunk: with the server's framing the choice is
/// between a clean end and an abort, which throws away what was just flushed.
/// </summary>
internal sealed class ClientStream
{
    private const int HeadLength = 6;
    private const int TailLength = 2;
    private const int Framing = HeadLength + TailLength;
    private const int LeastRoom = 1024;
    private const int LargestChunk = 0xFFFF;

    private static readonly System.Reflection.Assembly _kestrel = typeof(KestrelServerOptions).Assembly;

    // By the type of the body. Compiled ahead of time, to find a type's assembly takes 12,000 instructions; there are a handful of such types.
    private static readonly ConcurrentDictionary<Type, bool> _isServers = new();

    // A reset overtakes what the server has queued for its connection, and nothing tells when that was written: without a
    // pause 95 of 100 clients never see the error event.
    private static readonly TimeSpan _beforeReset = TimeSpan.FromMilliseconds(100);

    private readonly HttpContext _http;
    private readonly ExchangeClock _clock;
    private readonly EndingKind _ending;
    private PipeWriter? _writer;
    private Memory<byte> _memory;

    public ClientStream(HttpContext http, ExchangeClock clock)
    {
        _http = http;
        _clock = clock;
        _ending = EndingOf(http);
    }

    private enum EndingKind
    {
        /// <summary>Our own chunks; a broken answer lacks the last.</summary>
        OwnChunks,

        /// <summary>HTTP/2 and 3: a broken answer is reset.</summary>
        Reset,

        /// <summary>A server or a wrapped body that only an exception keeps from a clean end.</summary>
        Throw,
    }

    public bool HasBegun => _writer is not null;

    /// <summary>Bytes written since the last flush.</summary>
    public int Unflushed { get; private set; }

    /// <summary>Bytes of the body, framing not counted.</summary>
    public long Bytes { get; private set; }

    private bool OwnsChunks => _ending == EndingKind.OwnChunks;

    /// <summary>Sends the status and the headers set so far along with whatever is flushed first.</summary>
    public async ValueTask BeginAsync()
    {
        if (OwnsChunks)
        {
            _http.Response.Headers.TransferEncoding = "chunked";
        }

        // Minimum rates are meant for downloads; a model may think for minutes. Readers that stall are cut by our own clock.
        if (_http.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        await _http.Response.StartAsync();
        _writer = _http.Response.BodyWriter;
    }

    /// <summary>Room for payload in the response's own buffer. It must be committed or forgotten before anything is awaited that may write.</summary>
    public Memory<byte> GetMemory()
    {
        _memory = _writer!.GetMemory(LeastRoom);
        if (!OwnsChunks)
        {
            return _memory;
        }

        _memory = _memory[..Math.Min(_memory.Length, LargestChunk)];
        return _memory[HeadLength..^TailLength];
    }

    /// <summary>Takes the first bytes of the memory got last as written.</summary>
    public void Commit(int count)
    {
        if (count == 0)
        {
            return;
        }

        if (OwnsChunks)
        {
            var span = _memory.Span;
            WriteHead(span, count);
            "\r\n"u8.CopyTo(span[(HeadLength + count)..]);
            _writer!.Advance(count + Framing);
        }
        else
        {
            _writer!.Advance(count);
        }

        // What is held on to here would outlive the server's own interest in it by a whole wait.
        _memory = default;
        Bytes += count;
        Unflushed += count;
    }

    /// <summary>Copies payload into the response.</summary>
    public void Write(ReadOnlySpan<byte> payload)
    {
        while (!payload.IsEmpty)
        {
            var memory = GetMemory();
            var count = Math.Min(payload.Length, memory.Length);
            payload[..count].CopyTo(memory.Span);
            Commit(count);
            payload = payload[count..];
        }
    }

    /// <summary>Hands what was written to the connection; waits while the client is slow.</summary>
    public ValueTask<FlushResult> FlushAsync()
    {
        Unflushed = 0;
        var flush = _writer!.FlushAsync(CancellationToken.None);
        return flush.IsCompletedSuccessfully ? flush : StalledReader.WaitAsync(_http, _clock, flush);
    }

    /// <summary>The good ending.</summary>
    /// <returns>Why it did not reach the client, as far as that is known.</returns>
    public async ValueTask<ProxyError?> EndAsync()
    {
        if (OwnsChunks)
        {
            "0\r\n\r\n"u8.CopyTo(_writer!.GetSpan(5));
            _writer.Advance(5);
        }

        // What went out at once is on its way; what had to wait may have waited for nobody, and what found nobody is told so.
        var flush = FlushAsync();
        var hadToWait = !flush.IsCompleted;
        return (await flush).IsCompleted || hadToWait ? StalledReader.ErrorOf(_clock.Reason, _http) : null;
    }

    /// <summary>The other ending: all that was written arrives, and the client's parser says that the answer is not whole.</summary>
    /// <param name="time">The app's.</param>
    /// <exception cref="BrokenStreamException">Nothing else keeps this server from ending the response cleanly.</exception>
    public async ValueTask BreakAsync(TimeProvider time)
    {
        await FlushAsync();
        switch (_ending)
        {
            case EndingKind.OwnChunks:
                _http.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeNotificationFeature>()?.RequestClose();
                break;
            case EndingKind.Reset:
                const int InternalError = 2;
                await Task.Delay(_beforeReset, time);
                _http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(InternalError);
                break;
            default:
                throw new BrokenStreamException();
        }
    }

    /// <summary>Ends a response that nobody reads, so that nothing can end it cleanly.</summary>
    public void Abort() => StalledReader.Abort(_http);

    private static EndingKind EndingOf(HttpContext http)
    {
        // A wrapped body (response compression) buffers and frames by itself: it is not ours to end.
        var body = http.Features.Get<IHttpResponseBodyFeature>();
        if (body is null || !_isServers.GetOrAdd(body.GetType(), static type => type.Assembly == _kestrel))
        {
            return EndingKind.Throw;
        }

        return http.Features.Get<IHttpResetFeature>() is not null ? EndingKind.Reset
            : HttpProtocol.IsHttp11(http.Request.Protocol) && http.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeNotificationFeature>() is not null
                ? EndingKind.OwnChunks
                : EndingKind.Throw;
    }

    // A fixed width, so that the size can be put in front of a payload that is already in place.
    private static void WriteHead(Span<byte> span, int count)
    {
        Utf8Formatter.TryFormat(count, span, out _, new System.Buffers.StandardFormat('X', 4));
        span[4] = (byte)'\r';
        span[5] = (byte)'\n';
    }
}

/// <summary>Ends a response that nothing else can end broken. It is ours alone, so that an app can tell it from its own faults.</summary>
internal sealed class BrokenStreamException() : IOException("The upstream's answer broke; the response is ended without its end on purpose.");
