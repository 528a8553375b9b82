namespace LlmProxy.Core.Accounting;

/// <summary>Lets one caller pass per minute, so that a fault that lasts does not fill a log.</summary>
internal sealed class LogPace(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private long _last;

    public bool TryPass()
    {
        var last = Volatile.Read(ref _last);
        var now = time.GetTimestamp();
        return (last == 0 || time.GetElapsedTime(last, now) >= Interval)
            && Interlocked.CompareExchange(ref _last, now, last) == last;
    }
}
