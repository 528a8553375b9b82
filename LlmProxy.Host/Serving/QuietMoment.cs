namespace LlmProxy.Host.Serving;

/// <summary>
/// Gives back what a burst of requests has left behind. A thousand streams that begin at once take memory that their waiting
/// does not need; as next to nothing is allocated per event, no collection follows that would find out.
/// </summary>
/// <remarks>
/// The collection stops everything for as long as it takes, 150 ms of a core for four thousand streams: so it waits until hardly a
/// request has come or gone for some seconds, happens once after each burst, and not at all where the heap is large.
/// </remarks>
internal sealed class QuietMoment(TimeProvider time) : IHostedService, IDisposable
{
    /// <summary>What fifty requests allocate, or six thousand events: in a step with more there is somebody to be kept waiting.</summary>
    private const long Quiet = 1024 * 1024;

    /// <summary>Less than this is not worth it.</summary>
    private const long Burst = 32 * 1024 * 1024;

    /// <summary>More than this takes too long.</summary>
    private const long LargestHeap = 256 * 1024 * 1024;

    private const int QuietSteps = 3;

    private static readonly TimeSpan _step = TimeSpan.FromSeconds(1);

    private ITimer? _timer;
    private long _allocated;
    private long _allocatedThen;
    private int _quietSteps;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _allocated = _allocatedThen = GC.GetTotalAllocatedBytes();
        _timer = time.CreateTimer(static state => ((QuietMoment)state!).Step(), this, _step, _step);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _timer?.Dispose();

    private void Step()
    {
        var allocated = GC.GetTotalAllocatedBytes();
        _quietSteps = allocated - _allocated < Quiet ? _quietSteps + 1 : 0;
        _allocated = allocated;
        if (_quietSteps < QuietSteps || allocated - _allocatedThen < Burst || GC.GetTotalMemory(forceFullCollection: false) > LargestHeap)
        {
            return;
        }

        // Nothing less gives memory back to the system: a plain full collection compacts and keeps the room for itself.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _allocated = _allocatedThen = GC.GetTotalAllocatedBytes();
        _quietSteps = 0;
    }
}
