namespace LlmProxy.Core.Admission;

/// <summary>
/// How much has been taken of one limit. Not safe for several at a time: the <see cref="Meter"/> that it belongs to has a lock for all
/// of its gauges, so that a request takes of all or of none.
/// </summary>
internal abstract class Gauge
{
    /// <summary>What counts now against the limit: used, and set aside for requests that run.</summary>
    /// <param name="at">The window that it is now; what is older is forgotten.</param>
    public abstract long Taken(long at);

    /// <summary>What of that is only set aside.</summary>
    public abstract long Reserved { get; }

    /// <summary>Sets something aside.</summary>
    public abstract void Take(long at, long amount);

    /// <summary>Puts what was used in the place of what was set aside, in the window in which that was.</summary>
    /// <param name="at">The window of the admission.</param>
    /// <param name="reserved">As it was taken.</param>
    /// <param name="used">What became of it.</param>
    /// <param name="now">The window that it is now.</param>
    public abstract void Settle(long at, long reserved, long used, long now);

    /// <summary>Something counts in that window, or in a later one. Nothing is forgotten for it.</summary>
    public abstract bool HoldsAt(long window);

    /// <summary>How many windows have to pass until so much has gone of what is taken; 0 if that is the case now.</summary>
    public abstract long WaitFor(long amount, long now);
}

/// <summary>
/// What was taken in any 60 seconds. Kept by seconds: what was taken counts until the 60th second after its own has passed, so that
/// no 60 seconds, wherever they begin, hold more than the limit; something may count for up to a second more than a minute.
/// </summary>
/// <remarks>
/// Not System.Threading.RateLimiting: its windows begin anew at fixed times or are filled up steadily, which both let twice the limit
/// through within one minute; it cannot take of several limits at once, put a smaller use in the place of what was set aside, or go on
/// under another limit after a reload; and its leases are objects.
/// </remarks>
internal sealed class RateWindow : Gauge
{
    /// <summary>Seconds after which nothing of what was taken counts any more.</summary>
    public const int Length = 61;

    private readonly long[] _slots = new long[Length];
    private long _newest = long.MinValue / 2;
    private long _sum;

    public override long Reserved => 0;

    public override long Taken(long at)
    {
        MoveTo(at);
        return _sum;
    }

    public override void Take(long at, long amount)
    {
        MoveTo(at);
        Add(_newest, amount);
    }

    public override void Settle(long at, long reserved, long used, long now)
    {
        MoveTo(now);
        if (at > _newest - Length)
        {
            Add(Math.Min(at, _newest), used - reserved);
        }
        else if (used > reserved)
        {
            // The minute of the admission has passed. What nobody expected then counts now that it is known, or long answers would
            // pass the limit unseen.
            Add(_newest, used - reserved);
        }
    }

    public override bool HoldsAt(long window)
    {
        MoveTo(window);
        return _sum != 0;
    }

    public override long WaitFor(long amount, long now)
    {
        MoveTo(now);
        var gone = 0L;
        for (var second = _newest - Length + 1; gone < amount && second <= _newest; second++)
        {
            gone += _slots[IndexOf(second)];
            if (gone >= amount)
            {
                return second + Length - now;
            }
        }

        return gone >= amount ? 0 : Length;
    }

    private void MoveTo(long second)
    {
        if (second <= _newest)
        {
            return;
        }

        if (second - _newest >= Length || _sum == 0)
        {
            Array.Clear(_slots);
            _sum = 0;
        }
        else
        {
            for (var passed = _newest + 1; passed <= second; passed++)
            {
                ref var slot = ref _slots[IndexOf(passed)];
                _sum -= slot;
                slot = 0;
            }
        }

        _newest = second;
    }

    private void Add(long second, long amount)
    {
        ref var slot = ref _slots[IndexOf(second)];
        amount = Math.Max(amount, -slot);
        slot += amount;
        _sum += amount;
    }

    private static int IndexOf(long second) => (int)((ulong)second % Length);
}

/// <summary>What was taken in one window after another: a day, a month, for ever; or is held now.</summary>
internal sealed class Pot : Gauge
{
    private long _reserved;

    /// <summary>Which window it is.</summary>
    public long Window { get; private set; }

    /// <summary>Used in it.</summary>
    public long Used { get; private set; }

    public override long Reserved => _reserved;

    public override long Taken(long at)
    {
        MoveTo(at);
        return Used + _reserved;
    }

    public override void Take(long at, long amount)
    {
        MoveTo(at);
        _reserved += amount;
    }

    public override void Settle(long at, long reserved, long used, long now)
    {
        // Booked to the window of the admission; if that is over, it is nobody's any more.
        MoveTo(now);
        if (at == Window)
        {
            _reserved = Math.Max(0, _reserved - reserved);
            Used += used;
        }
    }

    public override bool HoldsAt(long window) => Window >= window && Used + _reserved != 0;

    public override long WaitFor(long amount, long now) => amount <= 0 ? 0 : 1;

    /// <summary>Something was used of which no request here tells: before the start, or by a price that was put right.</summary>
    public void Add(long window, long amount)
    {
        MoveTo(window);
        if (window == Window)
        {
            Used = Math.Max(0, Used + amount);
        }
    }

    private void MoveTo(long window)
    {
        if (window > Window)
        {
            (Window, Used, _reserved) = (window, 0, 0);
        }
    }
}
