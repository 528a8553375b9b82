using System.Collections.Concurrent;

namespace LlmProxy.Host.Stores;

/// <summary>
/// A thread that does one thing after another. For a database whose calls block: a thread of the pool, or one that polls sockets,
/// would be missing elsewhere. Started when it is first needed.
/// </summary>
internal sealed class StoreThread(string name) : IDisposable
{
    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(50);

    private readonly BlockingCollection<Action> _work = [];
    private readonly Lock _lock = new();
    private Thread? _thread;

    /// <summary>Does it after all that was asked for before.</summary>
    /// <param name="work">Done on the thread.</param>
    /// <param name="cancellationToken">Ends the wait; what has begun is done to its end all the same.</param>
    public Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _work.Add(() => Do(work, result, cancellationToken), cancellationToken);
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(name);
        }

        Start();
        // Where nobody waits any more, nobody would look at what went wrong.
        _ = result.Task.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return result.Task.WaitAsync(cancellationToken);
    }

    /// <summary>What was asked for is done still.</summary>
    public void Dispose() => Dispose(static () => { });

    /// <summary>The same, with something that is done again and again until then.</summary>
    public void Dispose(Action meanwhile)
    {
        _work.CompleteAdding();
        while (_thread?.Join(_step) == false)
        {
            meanwhile();
        }
    }

    private static void Do<T>(Func<T> work, TaskCompletionSource<T> result, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            result.SetCanceled(cancellationToken);
            return;
        }

        try
        {
            result.SetResult(work());
        }
        catch (Exception e)
        {
            result.SetException(e);
        }
    }

    private void Start()
    {
        if (_thread is not null)
        {
            return;
        }

        lock (_lock)
        {
            if (_thread is null)
            {
                var thread = new Thread(Work) { IsBackground = true, Name = name };
                thread.Start();
                _thread = thread;
            }
        }
    }

    private void Work()
    {
        foreach (var work in _work.GetConsumingEnumerable())
        {
            work();
        }
    }
}
