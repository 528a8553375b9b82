namespace LlmProxy.Core.Balancing;

/// <summary>
/// Something that may be done for a share of the requests of the last ten seconds, and a few times more: extra attempts, so that
/// an upstream that fails everything does not get several times the load. Every request of a model counts here, so nothing is
/// locked: what happens in the same moment as the clock moves on may count for the second before.
/// </summary>
internal sealed class SlidingBudget
{
    private const int Slots = 10;
    private const int SlotMs = 1000;

    // One for each second: which second it is in the upper half, the count in the lower.
    private readonly long[] _requests = new long[Slots];
    private readonly long[] _taken = new long[Slots];

    /// <summary>Counts a request.</summary>
    public void Count(long now) => Add(_requests, SecondOf(now), 1);

    /// <summary>Takes one, if the budget has it.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="percent">Of the requests.</param>
    /// <param name="least">On top of these.</param>
    public bool TryTake(long now, int percent, int least)
    {
        // Taken first and looked at then: of several who come at once no one too many gets one.
        var second = SecondOf(now);
        Add(_taken, second, 1);
        if (Sum(_taken, second) <= Allowed(second, percent, least))
        {
            return true;
        }

        Add(_taken, second, -1);
        return false;
    }

    /// <summary>Would one be given now?</summary>
    public bool HasRoom(long now, int percent, int least) => Sum(_taken, SecondOf(now)) < Allowed(SecondOf(now), percent, least);

    /// <summary>Gives one back that cost nobody anything.</summary>
    public void GiveBack(long now)
    {
        // From the newest second that has one: which, matters to nobody.
        var second = SecondOf(now);
        for (var back = 0; back < Slots && back <= second; back++)
        {
            ref var slot = ref _taken[(second - back) % Slots];
            var seen = Volatile.Read(ref slot);
            if (seen >> 32 == second - back && (int)seen > 0)
            {
                Add(_taken, second - back, -1);
                return;
            }
        }
    }

    // Some clocks count from the year 1: the upper half of a slot does not hold that many seconds.
    private static long SecondOf(long now) => (now / SlotMs) & int.MaxValue;

    private long Allowed(long second, int percent, int least) => least + (Sum(_requests, second) * percent / 100);

    private static long Sum(long[] slots, long second)
    {
        var sum = 0L;
        for (var i = 0; i < Slots; i++)
        {
            var seen = Volatile.Read(ref slots[i]);
            if (seen >> 32 is var at && at > second - Slots && at <= second)
            {
                sum += (int)seen;
            }
        }

        return sum;
    }

    private static void Add(long[] slots, long second, int count)
    {
        ref var slot = ref slots[second % Slots];
        while (true)
        {
            var seen = Volatile.Read(ref slot);
            if (seen >> 32 > second || (count < 0 && (seen >> 32 != second || (int)seen == 0)))
            {
                // The clock has moved on by ten seconds between the caller's look at it and now, or it was given back already.
                return;
            }

            var next = seen >> 32 == second ? seen + count : (second << 32) + count;
            if (Interlocked.CompareExchange(ref slot, next, seen) == seen)
            {
                return;
            }
        }
    }
}
