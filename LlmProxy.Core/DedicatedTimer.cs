namespace LlmProxy.Core;

/// <summary>
/// A timer with a thread of its own, for what steps again and again beside streams. One of the runtime's wakes its own thread, that
/// one of the pool, and that another in case there is more to do, each of them twice: 130 us of a processor in which events wait.
/// This wakes one thread, once.
/// </summary>
/// <remarks>
/// Steps never overlap, and what one throws ends the process, as with other timers. What a step finds to do that is not its own,
/// callbacks above all, belongs on the pool. The thread is there from the first time that the timer is set.
/// </remarks>
internal sealed class DedicatedTimer : ITimer
{
    private readonly string _name;
    private readonly Action _step;
    private readonly Lock _lock = new();
    private readonly AutoResetEvent _changed = new(false);
    private Thread? _thread;
    private long _due = long.MaxValue;
    private long _period = Timeout.Infinite;
    private bool _isDisposed;

    private DedicatedTimer(string name, Action step) => (_name, _step) = (name, step);

    /// <summary>One that is not set; where the clock is not the system's, that clock's own.</summary>
    /// <param name="time">The app's.</param>
    /// <param name="name">Of the thread.</param>
    /// <param name="step">Must not throw.</param>
    public static ITimer Create(TimeProvider time, string name, Action step) => time == TimeProvider.System
        ? new DedicatedTimer(name, step)
        : time.CreateTimer(static step => ((Action)step!)(), step, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return false;
            }

            _due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : Environment.TickCount64 + (long)dueTime.TotalMilliseconds;
            _period = (long)period.TotalMilliseconds;
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = _name };
                _thread.UnsafeStart();
            }
            else
            {
                _changed.Set();
            }

            return true;
        }
    }

    /// <summary>A step that has begun may still be running.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            if (_thread is null)
            {
                _changed.Dispose();
            }
            else
            {
                _changed.Set();
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void Run()
    {
        while (true)
        {
            int wait;
            lock (_lock)
            {
                if (_isDisposed)
                {
                    _changed.Dispose();
                    return;
                }

                var now = Environment.TickCount64;
                wait = _due == long.MaxValue ? Timeout.Infinite : (int)Math.Clamp(_due - now, 0, int.MaxValue);
                if (wait == 0)
                {
                    // Where steps have been missed they are not made up for.
                    _due = _period <= 0 ? long.MaxValue : Math.Max(_due + _period, now);
                }
            }

            if (wait == 0)
            {
                _step();
            }
            else
            {
                _changed.WaitOne(wait);
            }
        }
    }
}
