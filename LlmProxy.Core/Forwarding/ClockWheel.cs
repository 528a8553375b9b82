namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One coarse timer that drives the clocks of all exchanges: no timer is made for a request or an event. It runs only while
/// something is watched.
/// </summary>
internal sealed class ClockWheel : IDisposable
{
    /// <summary>How late a clock may be seen to have run out.</summary>
    public const int StepMs = 100;

    private const int StepsBeforeRest = 20;

    // Of what is looked at less often, because it looks at all clocks from outside.
    private const int StepsBetweenLooks = 2;

    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Stripe[] _stripes;
    private readonly ITimer _timer;
    private long _now;
    private int _watched;
    private int _running;
    private int _emptySteps;
    private int _steps;

    public ClockWheel(TimeProvider time)
    {
        _time = time;
        _origin = time.GetTimestamp();
        _stripes = new Stripe[Math.Clamp(Environment.ProcessorCount, 1, 64)];
        for (var i = 0; i < _stripes.Length; i++)
        {
            _stripes[i] = new Stripe();
        }

        _timer = time.CreateTimer(static state => ((ClockWheel)state!).Step(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Milliseconds since the wheel was made, as of the last step: costs nothing to ask.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>Clocks that are watched.</summary>
    public int Watched => Volatile.Read(ref _watched);

    /// <summary>Called now and then while something is watched, for what may end exchanges besides their clocks. Must not throw.</summary>
    public Action? Look { get; set; }

    public void Add(ExchangeClock clock)
    {
        Volatile.Write(ref _now, Measure());
        var stripe = _stripes[(uint)Environment.CurrentManagedThreadId % (uint)_stripes.Length];
        clock.Stripe = stripe;
        stripe.Add(clock);
        Interlocked.Increment(ref _watched);
        if (Volatile.Read(ref _running) == 0)
        {
            Run();
        }
    }

    public void Remove(ExchangeClock clock)
    {
        clock.Stripe!.Remove(clock);
        Interlocked.Decrement(ref _watched);
    }

    /// <summary>Cuts off every exchange that is watched now.</summary>
    public void CutAll(CutOff reason)
    {
        foreach (var stripe in _stripes)
        {
            foreach (var clock in stripe.ToArray())
            {
                clock.Cut(reason);
            }
        }
    }

    /// <summary>Those that are watched now and whose key may have ended since it was looked at; null if there are none.</summary>
    /// <param name="state">Of all keys.</param>
    /// <param name="now">The time of day.</param>
    public List<ExchangeClock>? FindKeysDue(long state, DateTimeOffset now)
    {
        List<ExchangeClock>? due = null;
        foreach (var stripe in _stripes)
        {
            stripe.FindKeysDue(state, now, ref due);
        }

        return due;
    }

    public void Dispose() => _timer.Dispose();

    private long Measure() => (long)_time.GetElapsedTime(_origin).TotalMilliseconds;

    private void Run()
    {
        if (Interlocked.CompareExchange(ref _running, 1, 0) == 0)
        {
            _emptySteps = 0;
            _timer.Change(TimeSpan.FromMilliseconds(StepMs), TimeSpan.FromMilliseconds(StepMs));
        }
    }

    private void Step()
    {
        var now = Measure();
        Volatile.Write(ref _now, now);
        foreach (var stripe in _stripes)
        {
            stripe.Fire(now);
        }

        if (++_steps % StepsBetweenLooks == 0)
        {
            Look?.Invoke();
        }

        if (Watched > 0)
        {
            _emptySteps = 0;
        }
        else if (++_emptySteps >= StepsBeforeRest)
        {
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Volatile.Write(ref _running, 0);
            Interlocked.MemoryBarrier();
            if (Watched > 0)
            {
                Run();
            }
        }
    }

    internal sealed class Stripe
    {
        private readonly Lock _lock = new();
        private ExchangeClock?[] _clocks = new ExchangeClock?[16];
        private int _count;

        public void Add(ExchangeClock clock)
        {
            lock (_lock)
            {
                if (_count == _clocks.Length)
                {
                    Array.Resize(ref _clocks, 2 * _count);
                }

                clock.Slot = _count;
                _clocks[_count++] = clock;
            }
        }

        public void Remove(ExchangeClock clock)
        {
            lock (_lock)
            {
                var last = _clocks[--_count]!;
                _clocks[clock.Slot] = last;
                last.Slot = clock.Slot;
                _clocks[_count] = null;
            }
        }

        public ExchangeClock[] ToArray()
        {
            lock (_lock)
            {
                return [.. _clocks.AsSpan(0, _count)!];
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
                        (due ??= []).Add(_clocks[i]!);
                    }
                }
            }
        }

        public void Fire(long now)
        {
            // Its own for each step: one that sets off much may still be at it when the next comes.
            List<ExchangeClock>? due = null;
            lock (_lock)
            {
                for (var i = 0; i < _count; i++)
                {
                    if (_clocks[i]!.IsDue(now))
                    {
                        (due ??= []).Add(_clocks[i]!);
                    }
                }
            }

            // Outside the lock: what a clock sets off may end its exchange and come back here to remove it.
            due?.ForEach(clock => clock.Fire(now));
        }
    }
}
