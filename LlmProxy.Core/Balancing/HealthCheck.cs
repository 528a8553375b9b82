namespace LlmProxy.Core.Balancing;

/// <summary>What the health checks of an upstream have found. Two failures in a row take it out, one success brings it back.</summary>
internal sealed class HealthCheck
{
    private const int FailuresToGo = 2;

    private int _failures;
    private int _isRunning;
    private long _failingSince;
    private long _nextAt;

    public bool IsFailing => FailingSince != 0;

    /// <summary>When it was taken out, in milliseconds of <see cref="Clock"/>; 0 if it is not.</summary>
    public long FailingSince => Volatile.Read(ref _failingSince);

    /// <summary>When the next one is due, likewise; 0 before the first was planned.</summary>
    public long NextAt
    {
        get => Volatile.Read(ref _nextAt);
        set => Volatile.Write(ref _nextAt, value);
    }

    /// <summary>Begins one, unless the last still runs.</summary>
    public bool TryBegin() => Interlocked.CompareExchange(ref _isRunning, 1, 0) == 0;

    public void End() => Volatile.Write(ref _isRunning, 0);

    public void Succeeded()
    {
        Volatile.Write(ref _failures, 0);
        Volatile.Write(ref _failingSince, 0);
    }

    /// <returns>True if this failure took it out.</returns>
    public bool Failed(long now) =>
        Interlocked.Increment(ref _failures) == FailuresToGo && Interlocked.CompareExchange(ref _failingSince, Math.Max(1, now), 0) == 0;
}
