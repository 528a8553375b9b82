namespace LlmProxy.Core.Balancing;

/// <summary>What a target has to do, how soon it speaks and what its cache is good for. Written by every request that it gets, read by who chooses.</summary>
internal sealed class TargetLoad(TimeProvider time)
{
    // Apart: the first event of a stream says how busy a target is, a whole answer mostly how long it was.
    private readonly Pace _streams = new(time);
    private readonly Pace _whole = new(time);
    private int _active;

    /// <summary>Requests under way.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Whether its prompt cache is of use.</summary>
    public CacheYield Cache { get; } = new();

    /// <summary>How soon it speaks.</summary>
    /// <param name="streams">In streams, or else in whole answers.</param>
    public Pace PaceOf(bool streams) => streams ? _streams : _whole;

    /// <summary>A request is sent.</summary>
    public void Begin(bool streams)
    {
        Interlocked.Increment(ref _active);
        PaceOf(streams).Begin();
    }

    /// <summary>A request ended without an answer.</summary>
    public void Fail(bool streams)
    {
        PaceOf(streams).Fail();
        End();
    }

    /// <summary>A request whose answer was heard is over.</summary>
    public void End() => Interlocked.Decrement(ref _active);
}
