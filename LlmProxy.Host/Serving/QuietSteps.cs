namespace LlmProxy.Host.Serving;

/// <summary>
/// Tells, a step of a second at a time, that a burst is over: that the process has had hardly anything to do for some steps. What there
/// is to do is told by what is allocated, for requests that come and go, and by the processor's time, for events: those of a stream allocate nothing.
/// </summary>
/// <param name="allocated">Bytes that the process has allocated so far.</param>
/// <param name="used">The processor's time that it has used so far.</param>
internal sealed class QuietSteps(long allocated, TimeSpan used)
{
    private const int Enough = 3;

    /// <summary>What two hundred requests allocate: in a step with more there is somebody to be kept waiting.</summary>
    private const long Quiet = 1024 * 1024;

    /// <summary>Less than this is no burst.</summary>
    private const long Burst = 32 * 1024 * 1024;

    /// <summary>A fifth of one processor: what eight thousand events take, or the waiting of ten thousand streams.</summary>
    private static readonly TimeSpan _quietUse = TimeSpan.FromMilliseconds(200);

    private long _allocated = allocated;
    private long _allocatedThen = allocated;
    private TimeSpan _used = used;
    private int _count;

    /// <summary>A step has passed, up to which so much was allocated and used.</summary>
    /// <returns>True: there was a burst, and now it is quiet.</returns>
    public bool Pass(long allocated, TimeSpan used)
    {
        _count = allocated - _allocated < Quiet && used - _used < _quietUse ? _count + 1 : 0;
        (_allocated, _used) = (allocated, used);
        return _count >= Enough && allocated - _allocatedThen >= Burst;
    }

    /// <summary>What the burst has left behind is gone: the next counts from here.</summary>
    public void Begin(long allocated, TimeSpan used)
    {
        (_allocated, _allocatedThen, _used) = (allocated, allocated, used);
        _count = 0;
    }
}
