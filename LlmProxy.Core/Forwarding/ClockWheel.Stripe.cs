using LlmProxy.Core.Authentication;

namespace LlmProxy.Core.Forwarding;

/// <summary>Where the clocks are that one of some threads began.</summary>
internal sealed partial class ClockWheel
{
    internal sealed class Stripe
    {
        // More are served at one moment by one core only where they wait, and then what a request allocates matters less.
        private const int MostSpares = 64;

        private readonly Lock _lock = new();
        private readonly ExchangeClock[] _spares = new ExchangeClock[MostSpares];
        private ExchangeClock?[] _clocks = new ExchangeClock?[16];
        private int _count;
        private int _spareCount;

        public ExchangeClock Begin(ClockWheel wheel, in KeyHold key)
        {
            lock (_lock)
            {
                var clock = _spareCount > 0 ? _spares[--_spareCount] : new ExchangeClock(wheel);
                clock.Key = key;
                Put(clock);
                return clock;
            }
        }

        public void Add(ExchangeClock clock)
        {
            lock (_lock)
            {
                Put(clock);
            }
        }

        /// <returns>It serves again; false if it ends here.</returns>
        public bool Remove(ExchangeClock clock)
        {
            lock (_lock)
            {
                var last = _clocks[--_count]!;
                _clocks[clock.Slot] = last;
                last.Slot = clock.Slot;
                _clocks[_count] = null;

                // Under the lock: nobody is just taking it out to look at it.
                if (_spareCount == MostSpares || !clock.TryRenew())
                {
                    return false;
                }

                _spares[_spareCount++] = clock;
                return true;
            }
        }

        public ExchangeClock[] ToArray()
        {
            lock (_lock)
            {
                ExchangeClock[] all = [.. _clocks.AsSpan(0, _count)!];
                foreach (var clock in all)
                {
                    clock.NoteListed();
                }

                return all;
            }
        }

        public void FindKeysDue(long state, DateTimeOffset now, ref List<ExchangeClock>? due)
        {
            lock (_lock)
            {
                for (var i = 0; i < _count; i++)
                {
                    if (_clocks[i]!.Key.IsDue(state, now))
                    {
                        List(_clocks[i]!, ref due);
                    }
                }
            }
        }

        /// <summary>What a clock sets off may end its exchange and come back here to remove it, so nothing is set off here, under the lock.</summary>
        public void FindDue(long now, ref List<ExchangeClock>? due)
        {
            lock (_lock)
            {
                for (var i = 0; i < _count; i++)
                {
                    if (_clocks[i]!.IsDue(now))
                    {
                        List(_clocks[i]!, ref due);
                    }
                }
            }
        }

        private static void List(ExchangeClock clock, ref List<ExchangeClock>? due)
        {
            clock.NoteListed();
            (due ??= []).Add(clock);
        }

        private void Put(ExchangeClock clock)
        {
            if (_count == _clocks.Length)
            {
                Array.Resize(ref _clocks, 2 * _count);
            }

            clock.Stripe = this;
            clock.Slot = _count;
            _clocks[_count++] = clock;
        }
    }
}
