namespace LlmProxy.Core.Balancing;

/// <summary>
/// How soon a model's answers begin, as counts in steps of a fifth. Old ones fade: whenever there are a thousand, all are
/// halved.
/// </summary>
internal sealed class FirstEventTimes
{
    /// <summary>With fewer, the slowest twentieth is one or two requests, which say nothing.</summary>
    public const int Least = 40;

    private const int Most = 1000;
    private const int StepsPerDoubling = 4;

    // Up to 35 minutes.
    private const int Steps = 21 * StepsPerDoubling;

    private readonly int[] _counts = new int[Steps];
    private readonly Lock _halving = new();
    private int _total;

    /// <summary>An answer has begun, or was given up unbegun, after this time.</summary>
    public void Add(TimeSpan time)
    {
        var milliseconds = time.TotalMilliseconds;
        var step = milliseconds <= 1 ? 0 : Math.Min((int)(Math.Log2(milliseconds) * StepsPerDoubling), Steps - 1);
        Interlocked.Increment(ref _counts[step]);
        if (Interlocked.Increment(ref _total) >= Most)
        {
            Halve();
        }
    }

    /// <summary>The time within which this share begins, rounded up to a step; null while too little is known.</summary>
    public TimeSpan? Percentile(int percent)
    {
        var total = 0;
        foreach (ref var count in _counts.AsSpan())
        {
            total += Volatile.Read(ref count);
        }

        if (total < Least)
        {
            return null;
        }

        var left = (total * percent / 100) + 1;
        var step = 0;
        for (; step < Steps - 1 && (left -= Volatile.Read(ref _counts[step])) > 0; step++)
        {
        }

        return TimeSpan.FromMilliseconds(Math.Pow(2, (step + 1) / (double)StepsPerDoubling));
    }

    private void Halve()
    {
        lock (_halving)
        {
            if (Volatile.Read(ref _total) < Most)
            {
                return;
            }

            foreach (ref var count in _counts.AsSpan())
            {
                var gone = Volatile.Read(ref count) / 2;
                Interlocked.Add(ref count, -gone);
                Interlocked.Add(ref _total, -gone);
            }
        }
    }
}
