using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace LlmProxy.Tests.Relaying;

/// <summary>
/// A response that keeps what was flushed. As the server's own writer does, it takes its memory back with every advance and
/// writes over what stands behind it.
/// </summary>
internal sealed class MemoryBody : PipeWriter, IHttpResponseBodyFeature
{
    private readonly byte[] _block = new byte[4096];
    private readonly MemoryStream? _written;
    private int _flushed;

    /// <param name="keeps">False: what is written is thrown away, and nothing is allocated for it.</param>
    public MemoryBody(bool keeps = true) => _written = keeps ? new MemoryStream() : null;

    /// <summary>What a client has got.</summary>
    public ReadOnlySpan<byte> Flushed => _written!.GetBuffer().AsSpan(0, _flushed);

    public string Text => System.Text.Encoding.UTF8.GetString(Flushed);

    public int Flushes { get; private set; }

    public Stream Stream => Stream.Null;

    public PipeWriter Writer => this;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _block;

    public override Span<byte> GetSpan(int sizeHint = 0) => _block;

    public override void Advance(int bytes)
    {
        _written?.Write(_block, 0, bytes);
        _block.AsSpan().Fill((byte)'#');
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Flushes++;
        Volatile.Write(ref _flushed, (int)(_written?.Length ?? 0));
        return new(new FlushResult(false, false));
    }

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task CompleteAsync() => Task.CompletedTask;

    public void DisableBuffering()
    {
    }
}
