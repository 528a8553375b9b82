using LlmProxy.Core.Authentication;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One coarse timer that drives the clocks of all exchanges: no timer is made for a request or an event. It runs only while
/// something is watched.
/// </summary>
internal sealed partial class ClockWheel : IDisposable
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
        _origin = IsSystem ? Environment.TickCount64 : time.GetTimestamp();
        _stripes = new Stripe[Math.Clamp(Environment.ProcessorCount, 1, 64)];
        for (var i = 0; i < _stripes.Length; i++)
        {
            _stripes[i] = new Stripe();
        }

        _timer = DedicatedTimer.Create(time, "LlmProxy clock", Step);
    }

    /// <summary>Milliseconds since the wheel was made, as of the last step: costs nothing to ask.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>Clocks that are watched.</summary>
    public int Watched => Volatile.Read(ref _watched);

    /// <summary>Called now and then while something is watched, for what may end exchanges besides their clocks. Must not throw.</summary>
    public Action? Look { get; set; }

    /// <summary>Begins a clock for an exchange: one that has served another, if there is one, for its token's source and what is registered there are dear.</summary>
    /// <param name="clientGone">Cuts it off.</param>
    /// <param name="key">What let it in.</param>
    public ExchangeClock Begin(CancellationToken clientGone, in KeyHold key)
    {
        Volatile.Write(ref _now, Measure());
        var clock = StripeHere().Begin(this, key);
        Watch();
        clock.CutOffBy(clientGone);
        return clock;
    }

    public void Add(ExchangeClock clock)
    {
        Volatile.Write(ref _now, Measure());
        StripeHere().Add(clock);
        Watch();
    }

    /// <returns>It is the wheel's again, and may be somebody else's by now; false if it ends here.</returns>
    public bool Remove(ExchangeClock clock)
    {
        Interlocked.Decrement(ref _watched);
        return clock.Stripe!.Remove(clock);
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

    /// <summary>Does what a step has found to be done. It may call back whoever waits, for any time: not on the thread that makes the steps.</summary>
    public void SetOff(Action work)
    {
        if (_timer is DedicatedTimer)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work => work(), work, preferLocal: false);
        }
        else
        {
            work();
        }
    }

    public void Dispose() => _timer.Dispose();

    private Stripe StripeHere() => _stripes[(uint)Environment.CurrentManagedThreadId % (uint)_stripes.Length];

    private void Watch()
    {
        Interlocked.Increment(ref _watched);
        if (Volatile.Read(ref _running) == 0)
        {
            Run();
        }
    }

    private bool IsSystem => _time == TimeProvider.System;

    // Each request does, and the system's coarse clock, which costs a fifth of the exact one, is fine enough beside steps of 100 ms.
    private long Measure() => IsSystem ? Environment.TickCount64 - _origin : (long)_time.GetElapsedTime(_origin).TotalMilliseconds;

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

        // Its own for each step: one that sets off much may still be at it when the next comes.
        List<ExchangeClock>? due = null;
        foreach (var stripe in _stripes)
        {
            stripe.FindDue(now, ref due);
        }

        if (due is not null)
        {
            Fire(due, now);
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

    // Apart, so that a step that finds nothing makes nothing.
    private void Fire(List<ExchangeClock> due, long now) => SetOff(() => due.ForEach(clock => clock.Fire(now)));
}
