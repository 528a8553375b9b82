namespace LlmProxy.Tests.Forwarding;

/// <summary>A clock whose timers fire when they are told to, on whatever thread: as often at a time as a busy machine lets them.</summary>
internal sealed class HandTimer : TimeProvider, ITimer
{
    private TimerCallback _callback = static _ => { };
    private object? _state;
    private long _now;

    /// <summary>The timer is set.</summary>
    public bool Runs { get; private set; }

    public override long TimestampFrequency => 1000;

    public void Advance(int milliseconds) => Interlocked.Add(ref _now, milliseconds);

    public void Tick() => _callback(_state);

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        (_callback, _state) = (callback, state);
        return this;
    }

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        Runs = dueTime != Timeout.InfiniteTimeSpan;
        return true;
    }

    public void Dispose() => Runs = false;

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }
}
