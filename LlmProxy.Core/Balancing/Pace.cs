namespace LlmProxy.Core.Balancing;

/// <summary>How soon a target speaks, smoothed. Not locked: one of two samples that come at once may be lost, it is an average.</summary>
internal sealed class Pace(TimeProvider time)
{
    // A tenth of what is new: a few requests in a row tell more than one.
    private const double Share = 0.1;

    // Who was slow is thought half as slow after so long, or after so many choices that it lost, whichever is later: ten times as
    // slow, it is tried again after 33 s, and by no more than one request in 200.
    private const double HalfLifeMs = 10_000;
    private const double HalfLifeChoices = 64;

    private long _known = BitConverter.DoubleToInt64Bits(double.NaN);
    private long _toldAt;
    private int _lost;
    private int _silent;
    private long _silentSince;

    /// <summary>
    /// Milliseconds; not a number while nothing is known. It fades while nobody is there to renew it: one request at a time finds
    /// out whether who was slow is slow still.
    /// </summary>
    /// <param name="now">Milliseconds of <see cref="Clock"/>.</param>
    public double Latency(long now)
    {
        var known = BitConverter.Int64BitsToDouble(Volatile.Read(ref _known));
        if (Volatile.Read(ref _silent) > 0)
        {
            return Math.Max(known, Silence(now));
        }

        var halves = Math.Min((now - Volatile.Read(ref _toldAt)) / HalfLifeMs, Volatile.Read(ref _lost) / HalfLifeChoices);
        return halves > 0.01 ? known * double.Exp2(-halves) : known;
    }

    /// <summary>For how many milliseconds requests have been there without hearing anything; 0 if none are.</summary>
    public long Silence(long now) => Volatile.Read(ref _silent) > 0 ? now - Volatile.Read(ref _silentSince) : 0;

    /// <summary>Another was chosen in its place.</summary>
    public void Lose() => Volatile.Write(ref _lost, _lost + 1);

    public void Begin()
    {
        if (Interlocked.Increment(ref _silent) == 1)
        {
            Volatile.Write(ref _silentSince, Clock.Ms(time));
        }
    }

    /// <summary>A request that was begun was given up, or failed.</summary>
    public void Fail() => Interlocked.Decrement(ref _silent);

    /// <summary>A request that was begun heard the first of its answer.</summary>
    /// <param name="milliseconds">After so long.</param>
    public void Spoke(double milliseconds) => Spoke(milliseconds, Clock.Ms(time));

    /// <summary>The same, at a moment that is known.</summary>
    /// <param name="milliseconds">After so long.</param>
    /// <param name="now">Milliseconds of <see cref="Clock"/>.</param>
    public void Spoke(double milliseconds, long now)
    {
        var known = BitConverter.Int64BitsToDouble(Volatile.Read(ref _known));

        // What has faded is not mixed in: who was slow long ago begins anew.
        var isOld = Volatile.Read(ref _lost) > HalfLifeChoices && now - Volatile.Read(ref _toldAt) > HalfLifeMs;
        var mixed = double.IsNaN(known) || isOld ? milliseconds : known + (Share * (milliseconds - known));
        Volatile.Write(ref _known, BitConverter.DoubleToInt64Bits(mixed));
        Volatile.Write(ref _toldAt, now);
        Volatile.Write(ref _lost, 0);
        Volatile.Write(ref _silentSince, now);
        Interlocked.Decrement(ref _silent);
    }
}
