namespace LlmProxy.Core.Admission;

/// <summary>
/// What time it is for limits, which count seconds and days: by a clock that is read twice with each request and costs a fifth of
/// the exact ones. It may be apart from them by some milliseconds. All who compare times ask the same one.
/// </summary>
/// <param name="time">Asked itself if it is not the system's.</param>
internal sealed class LimitClock(TimeProvider time)
{
    // The wall's clock can be put right at any time, and is asked anew after so long.
    private const long LongestKept = 100;

    // By less than this a coarse clock is apart from the wall's, once more and once less: that is no reason to go back.
    private const long MostApart = 50 * TimeSpan.TicksPerMillisecond;

    private volatile Reading? _last;

    /// <summary>Now.</summary>
    public Instant Now()
    {
        if (time != TimeProvider.System)
        {
            return new Instant(time.GetTimestamp() / time.TimestampFrequency, time.GetUtcNow().UtcTicks);
        }

        var milliseconds = Environment.TickCount64;
        var last = _last;
        if (last is null || milliseconds - last.Milliseconds >= LongestKept)
        {
            _last = last = Read(last);
        }

        return new Instant(milliseconds / 1000, last.At(milliseconds));
    }

    private Reading Read(Reading? last)
    {
        // In this order, so that a thread that is stopped in between makes it be behind and not ahead.
        var ticks = time.GetUtcNow().UtcTicks;
        return Reading.Following(last, Environment.TickCount64, ticks);
    }

    /// <summary>Both clocks at once. One object, so that nobody sees the halves of two.</summary>
    internal sealed record Reading(long Milliseconds, long Ticks)
    {
        /// <summary>The reading after another: where the wall's clock is a little behind what was told, what was told goes on.</summary>
        public static Reading Following(Reading? last, long milliseconds, long ticks)
        {
            var expected = last?.At(milliseconds) ?? ticks;
            return new Reading(milliseconds, ticks < expected && expected - ticks < MostApart ? expected : ticks);
        }

        public long At(long milliseconds) => Ticks + ((milliseconds - Milliseconds) * TimeSpan.TicksPerMillisecond);
    }
}
