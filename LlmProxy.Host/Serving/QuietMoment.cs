namespace LlmProxy.Host.Serving;

/// <summary>
/// Gives back what a burst of requests has left behind. A thousand streams that begin at once take memory that their waiting
/// does not need; as next to nothing is allocated per event, no collection follows that would find out.
/// </summary>
/// <remarks>
/// The collection stops everything for as long as it takes, 150 ms of a core for four thousand streams: so it waits until there has
/// been hardly anything to do for some seconds (<see cref="QuietSteps"/>), happens once after each burst, and not at all where the heap is large.
/// </remarks>
internal sealed class QuietMoment(TimeProvider time) : IHostedService, IDisposable
{
    /// <summary>More than this takes too long.</summary>
    private const long LargestHeap = 256 * 1024 * 1024;

    private static readonly TimeSpan _step = TimeSpan.FromSeconds(1);

    private QuietSteps _steps = new(0, TimeSpan.Zero);
    private ITimer? _timer;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _steps = new QuietSteps(GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime);
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
        if (!_steps.Pass(GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime) || GC.GetTotalMemory(forceFullCollection: false) > LargestHeap)
        {
            return;
        }

        // Nothing less gives memory back to the system: a plain full collection compacts and keeps the room for itself.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _steps.Begin(GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime);
    }
}
