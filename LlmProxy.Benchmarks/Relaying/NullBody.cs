using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace LlmProxy.Benchmarks.Relaying;

/// <summary>A client that takes everything and keeps nothing, with blocks of the size that the server has.</summary>
internal sealed class NullBody : PipeWriter, IHttpResponseBodyFeature
{
    private readonly byte[] _block = new byte[4096];

    public Stream Stream => Stream.Null;

    public PipeWriter Writer => this;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _block;

    public override Span<byte> GetSpan(int sizeHint = 0) => _block;

    public override void Advance(int bytes)
    {
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => new(new FlushResult(false, false));

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => Task.CompletedTask;

    public Task CompleteAsync() => Task.CompletedTask;

    public void DisableBuffering()
    {
    }
}
