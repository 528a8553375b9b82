namespace LlmProxy.Core.Balancing;

/// <summary>What a target has to do, and how soon it speaks. Written by every request that it gets, read by who chooses.</summary>
internal sealed class TargetLoad
{
    // A tenth of what is new: a few requests in a row tell more than one.
    private const double Share = 0.1;

    private int _active;
    private long _latencyBits = BitConverter.DoubleToInt64Bits(double.NaN);

    /// <summary>Requests under way.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Milliseconds to the first event, smoothed; not a number while nothing is known.</summary>
    public double Latency => BitConverter.Int64BitsToDouble(Volatile.Read(ref _latencyBits));

    public void Begin() => Interlocked.Increment(ref _active);

    public void End() => Interlocked.Decrement(ref _active);

    /// <summary>The first event came after this many milliseconds.</summary>
    public void Spoke(double milliseconds)
    {
        var known = Latency;
        var mixed = double.IsNaN(known) ? milliseconds : known + (Share * (milliseconds - known));

        // One of two that come at once may be lost: it is an average.
        Volatile.Write(ref _latencyBits, BitConverter.DoubleToInt64Bits(mixed));
    }
}
