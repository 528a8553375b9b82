using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// Takes records from requests, which never wait, and hands them to all sinks in batches from one background loop. When the
/// queue is full, new records are dropped and counted.
/// </summary>
internal sealed partial class RecordWriter : IHostedLifecycleService, IDisposable, IAsyncDisposable
{
    /// <summary>About 5 MB of records; at the pause below it holds what 100,000 requests per second leave.</summary>
    public const int Capacity = 16_384;

    private const int BatchSize = 256;

    // After a batch, not before it: a lone request is written at once, while under load the loop is woken ten times a second
    // and not by every request.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Channel<ExchangeRecord> _queue = Channel.CreateBounded<ExchangeRecord>(new BoundedChannelOptions(Capacity)
    {
        SingleReader = true,
    });

    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IRecordSink[] _sinks;
    private readonly LoggerRecordSink _lines;
    private readonly ProxyMetrics _metrics;
    private readonly ILogger _logger;
    private readonly LogPace _dropPace;
    private readonly LogPace _sinkPace;
    private readonly Task _loop;

    public RecordWriter(
        IEnumerable<IRecordSink> sinks, LoggerRecordSink lines, ProxyMetrics metrics, TimeProvider time, ILogger<RecordWriter> logger)
    {
        _sinks = [.. sinks];
        _lines = lines;
        _metrics = metrics;
        _logger = logger;
        _dropPace = new LogPace(time);
        _sinkPace = new LogPace(time);

        // Started here and not by the host, so that it also runs where the container is used without one. The loop outlives
        // whatever request may be the first to ask for it, so it must not carry that one's activity and log scopes.
        using (ExecutionContext.SuppressFlow())
        {
            _loop = Task.Run(RunAsync);
        }
    }

    /// <summary>False while nobody would read a record; then none is built.</summary>
    public bool IsWanted => _sinks.Length > 0 || _lines.IsEnabled;

    public void Enqueue(ExchangeRecord record)
    {
        if (!_queue.Writer.TryWrite(record))
        {
            _metrics.RecordDropped();
            if (_dropPace.TryPass())
            {
                Log.Dropped(_logger, Capacity);
            }
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Writes what is left. Not in <see cref="StopAsync"/>: only after that has the server let its last request end.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        Close();
        try
        {
            await _loop.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Log.NotFlushed(_logger, _queue.Reader.Count);
        }
    }

    /// <summary>Ends the loop once it has written what is left; waits for nothing.</summary>
    public void Dispose() => Close();

    public async ValueTask DisposeAsync()
    {
        // A host has waited in StoppedAsync already. If it gave up there on a sink that hangs, this does not wait again.
        if (Close())
        {
            await _loop;
        }
    }

    private bool Close()
    {
        _queue.Writer.TryComplete();
        return _stopping.TrySetResult();
    }

    private async Task RunAsync()
    {
        var batch = new List<ExchangeRecord>(BatchSize);
        while (await _queue.Reader.WaitToReadAsync())
        {
            while (Fill(batch))
            {
                Write(batch);
                batch.Clear();
            }

            // The expected end of this wait is its timeout, which is no error here. On the machine's clock, whatever the app's says:
            // it spares threads, and a clock that stands still would keep the next record from everybody.
            await _stopping.Task.WaitAsync(Pause).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool Fill(List<ExchangeRecord> batch)
    {
        while (batch.Count < BatchSize && _queue.Reader.TryRead(out var record))
        {
            batch.Add(record);
        }

        return batch.Count > 0;
    }

    private void Write(List<ExchangeRecord> batch)
    {
        foreach (var sink in _sinks)
        {
            Write(sink, batch);
        }

        if (_lines.IsEnabled)
        {
            Write(_lines, batch);
        }
    }

    private void Write(IRecordSink sink, List<ExchangeRecord> batch)
    {
        try
        {
            sink.Write(batch);
        }
        catch (Exception fault)
        {
            _metrics.RecordsFailed(batch.Count);
            if (_sinkPace.TryPass())
            {
                Log.SinkFailed(_logger, sink.GetType().Name, batch.Count, fault);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Records of requests are dropped: the queue of {Capacity} is full, or closed. Told once a minute.")]
        public static partial void Dropped(ILogger logger, int capacity);

        [LoggerMessage(2, LogLevel.Error, "{Sink} could not write {Count} records of requests. Told once a minute.")]
        public static partial void SinkFailed(ILogger logger, string sink, int count, Exception fault);

        [LoggerMessage(3, LogLevel.Error, "Stopped with {Count} records of requests still queued: a sink took too long.")]
        public static partial void NotFlushed(ILogger logger, int count);
    }
}
