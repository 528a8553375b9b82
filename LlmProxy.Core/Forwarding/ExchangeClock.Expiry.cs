namespace LlmProxy.Core.Forwarding;

/// <summary>What has run out, and what follows from it.</summary>
internal sealed partial class ExchangeClock
{
    /// <summary>The time of the wheel that is this far away; zero is never.</summary>
    internal long EndOf(TimeSpan after) => after > TimeSpan.Zero ? _wheel.Now + (long)after.TotalMilliseconds : Never;

    internal bool IsDue(long now) =>
        Expired(now) != CutOff.None || IsQuietAt(now)
        || Volatile.Read(ref _course.First)?.IsDue(now) == true || Volatile.Read(ref _course.Second)?.IsDue(now) == true;

    internal void Fire(long now)
    {
        Volatile.Read(ref _course.First)?.Fire(now);
        Volatile.Read(ref _course.Second)?.Fire(now);
        if (Expired(now) is not CutOff.None and var reason)
        {
            Cut(reason);
            if (reason == CutOff.StalledReader)
            {
                Volatile.Read(ref _course.Abort)?.Invoke();
            }
        }
        else if (IsQuietAt(now))
        {
            _course.Sleeper?.Wake();
        }
    }

    private bool IsQuietAt(long now) => Volatile.Read(ref _course.Heartbeat) is > 0 and var heartbeat && now - Volatile.Read(ref _course.LastSign) >= heartbeat;

    private CutOff Expired(long now)
    {
        // What was cut off may still be saying so to a client that does not read.
        if (Volatile.Read(ref _course.Reason) != 0)
        {
            return StalledAt(now);
        }

        if (now >= Volatile.Read(ref _course.PhaseEnd))
        {
            return _course.Phase;
        }

        if (now >= Volatile.Read(ref _course.PatienceEnd))
        {
            return CutOff.Impatience;
        }

        if (now >= Volatile.Read(ref _course.TotalEnd))
        {
            return CutOff.Total;
        }

        if (Volatile.Read(ref _course.Idle) is > 0 and var idle && now - Volatile.Read(ref _course.LastRead) >= idle)
        {
            // What waits for its client cannot read: that is not the upstream's silence.
            return Volatile.Read(ref _course.WaitingForReader) == Never ? CutOff.Idle : StalledAt(now);
        }

        return StalledAt(now);
    }

    private CutOff StalledAt(long now)
    {
        if (Volatile.Read(ref _course.Stall) is not (> 0 and var stall)
            || Volatile.Read(ref _course.WaitingForReader) is var since && (since == Never || now - since < stall))
        {
            return CutOff.None;
        }

        // Slow but moving: never cut.
        if (TakenByReader() is var taken && taken > _course.Taken)
        {
            _course.Taken = taken;
            Interlocked.CompareExchange(ref _course.WaitingForReader, now, since);
            return CutOff.None;
        }

        return CutOff.StalledReader;
    }
}
