using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Admission;

/// <summary>
/// What was taken in any 60 seconds. Kept by seconds: what was taken counts until the 60th second after its own has passed, so that
/// no 60 seconds, wherever they begin, hold more than the limit; something may count for up to a second more than a minute.
/// </summary>
/// <remarks>
/// Not System.Threading.RateLimiting: its windows begin anew at fixed times or are filled up steadily, which both let twice the limit
/// through within one minute; it cannot take of several limits at once, put a smaller use in the place of what was set aside, or go on
/// under another limit after a reload; and its leases are objects.
/// </remarks>
internal sealed class RateWindow
{
    /// <summary>Seconds after which nothing of what was taken counts any more.</summary>
    public const int Length = 61;

    // Of one second, so that the sum of all of them is still a number.
    private const long Most = long.MaxValue / 128;

    private Seconds _slots;
    private long _newest = long.MinValue / 2;
    private long _sum;

    /// <summary>What counts in a second.</summary>
    public long Taken(long at)
    {
        MoveTo(at);
        return _sum;
    }

    /// <summary>Sets something aside.</summary>
    public void Take(long at, long amount)
    {
        MoveTo(at);
        Add(_newest, amount);
    }

    /// <summary>Puts what was used in the place of what was set aside, in the second in which that was.</summary>
    public void Settle(long at, long reserved, long used, long now)
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

    /// <summary>How many seconds have to pass until so much has gone of what is taken; 0 if that is the case now.</summary>
    public long WaitFor(long amount, long now)
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
            ((Span<long>)_slots).Clear();
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
        amount = Math.Clamp(amount, -slot, Most - slot);
        slot += amount;
        _sum += amount;
    }

    private static int IndexOf(long second) => (int)((ulong)second % Length);

    [InlineArray(Length)]
    private struct Seconds
    {
        private long _first;
    }
}
