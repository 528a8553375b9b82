using LlmProxy.Core.Authentication;
using LlmProxy.Core.Requests;

namespace LlmProxy.Core.Forwarding;

/// <summary>Why an exchange was cut off.</summary>
internal enum CutOff
{
    None,
    ClientGone,
    FirstEvent,
    Response,
    Idle,
    Total,
    StalledReader,
    Shutdown,

    /// <summary>Another attempt was faster.</summary>
    Superseded,

    /// <summary>The request's body took too long to arrive.</summary>
    Body,

    /// <summary>Something of ours has failed: nobody needs what is still on its way.</summary>
    Fault,

    /// <summary>The client waits no longer, as it said beforehand.</summary>
    Impatience,

    /// <summary>The key that it was let in by is nobody's any more.</summary>
    KeyEnded,
}

/// <summary>Something that sleeps and may be woken early.</summary>
internal interface ISleeper
{
    void Wake();
}

/// <summary>
/// All clocks of one exchange, and the one token that everything it waits for takes. The first reason to cut it off wins and
/// is remembered.
/// </summary>
internal sealed partial class ExchangeClock : IBodyClock, IDisposable
{
    public const long Never = long.MaxValue;

    private readonly ClockWheel _wheel;
    private readonly CancellationTokenSource _source = new();
    private readonly bool _mayServeAgain;
    private CancellationTokenRegistration _client;
    private Course _course = new();

    /// <summary>A clock for one exchange alone, whoever else comes to hold it.</summary>
    /// <param name="wheel">Drives it.</param>
    /// <param name="clientGone">Cuts it off.</param>
    /// <param name="key">What let it in; nothing where no key can end it.</param>
    public ExchangeClock(ClockWheel wheel, CancellationToken clientGone, KeyHold key = default)
    {
        _wheel = wheel;
        Key = key;
        wheel.Add(this);
        CutOffBy(clientGone);
    }

    /// <summary>A clock of the wheel's own, which may serve one exchange after another: see <see cref="ClockWheel.Begin"/>.</summary>
    internal ExchangeClock(ClockWheel wheel)
    {
        _wheel = wheel;
        _mayServeAgain = true;
    }

    /// <summary>Its place in the wheel, the wheel's own.</summary>
    internal ClockWheel.Stripe? Stripe { get; set; }

    internal int Slot { get; set; }

    /// <summary>Cancelled when the exchange is cut off. For anybody: the clock ends with the exchange, for nobody knows who still looks at it.</summary>
    public CancellationToken Token
    {
        get
        {
            _course.IsHandedOut = true;
            return _source.Token;
        }
    }

    /// <summary>The same for who is known to have let go of it when the exchange ends.</summary>
    public CancellationToken OwnToken => _source.Token;

    public CutOff Reason => (CutOff)Volatile.Read(ref _course.Reason);

    /// <summary>The key that let it in.</summary>
    public ref KeyHold Key => ref _course.Key;

    /// <summary>Cuts the exchange off when <paramref name="after"/> has passed, unless another phase begins before. Zero: never.</summary>
    public void Begin(CutOff phase, TimeSpan after)
    {
        _course.Phase = phase;
        Volatile.Write(ref _course.PhaseEnd, EndOf(after));
    }

    /// <summary>The same, at a time of the wheel.</summary>
    public void BeginUntil(CutOff phase, long end)
    {
        _course.Phase = phase;
        Volatile.Write(ref _course.PhaseEnd, end);
    }

    /// <summary>A phase has begun and not ended.</summary>
    public bool IsInPhase => Volatile.Read(ref _course.PhaseEnd) != Never;

    public void BeginBody(TimeSpan longest) => Begin(CutOff.Body, longest);

    public void EndBody() => EndPhase();

    public void EndPhase() => Volatile.Write(ref _course.PhaseEnd, Never);

    public void LimitTotal(TimeSpan after) => Volatile.Write(ref _course.TotalEnd, EndOf(after));

    /// <summary>How long the client waits for the first output. Zero: as long as we do.</summary>
    public void LimitPatience(TimeSpan after) => Volatile.Write(ref _course.PatienceEnd, EndOf(after));

    public void EndPatience() => Volatile.Write(ref _course.PatienceEnd, Never);

    /// <summary>An attempt's own clock runs beside the exchange's.</summary>
    public void Watch(Attempt attempt)
    {
        if (Interlocked.CompareExchange(ref _course.First, attempt, null) is not null)
        {
            Interlocked.Exchange(ref _course.Second, attempt);
        }
    }

    public void Unwatch(Attempt attempt)
    {
        Interlocked.CompareExchange(ref _course.First, null, attempt);
        Interlocked.CompareExchange(ref _course.Second, null, attempt);
    }

    /// <summary>From now on two reads may be at most this far apart.</summary>
    public void WatchIdle(TimeSpan idle)
    {
        Volatile.Write(ref _course.LastRead, _wheel.Now);
        Volatile.Write(ref _course.Idle, (long)idle.TotalMilliseconds);
    }

    /// <summary>From now on the sleeper is woken when nothing was read and no heartbeat sent for this long.</summary>
    public void WatchQuiet(TimeSpan heartbeat, ISleeper sleeper)
    {
        _course.Sleeper = sleeper;
        Volatile.Write(ref _course.LastSign, _wheel.Now);
        Volatile.Write(ref _course.Heartbeat, (long)heartbeat.TotalMilliseconds);
    }

    /// <summary>From now on a client may take at most this long to take what it was sent.</summary>
    /// <param name="stalled">Zero: as long as it likes.</param>
    /// <param name="reader">Its connection; null if nobody can ask that.</param>
    /// <param name="progress">Says of a connection how many bytes it has taken, or -1.</param>
    public void WatchReader(TimeSpan stalled, object? reader = null, Func<object, long>? progress = null)
    {
        (_course.Reader, _course.Progress) = (reader, progress);
        Volatile.Write(ref _course.Stall, (long)stalled.TotalMilliseconds);
    }

    private long TakenByReader() => _course.Reader is not null && _course.Progress is not null ? _course.Progress(_course.Reader) : -1;

    /// <summary>Something was read from the upstream.</summary>
    public void Touch()
    {
        var now = _wheel.Now;
        Volatile.Write(ref _course.LastRead, now);
        Volatile.Write(ref _course.LastSign, now);
    }

    /// <summary>A heartbeat went out. The upstream's idle clock goes on.</summary>
    public void TouchQuiet() => Volatile.Write(ref _course.LastSign, _wheel.Now);

    /// <summary>A heartbeat is due.</summary>
    public bool IsQuiet => Volatile.Read(ref _course.Heartbeat) is > 0 and var heartbeat && _wheel.Now - Volatile.Read(ref _course.LastSign) >= heartbeat;

    /// <param name="abort">Called when the client has stalled: nothing else ends a write that nobody takes.</param>
    public void BeginWaitForReader(Action? abort = null)
    {
        Volatile.Write(ref _course.Abort, abort);
        _course.Taken = TakenByReader();
        Volatile.Write(ref _course.WaitingForReader, _wheel.Now);
    }

    public void EndWaitForReader() => Volatile.Write(ref _course.WaitingForReader, Never);

    public void Cut(CutOff reason)
    {
        if (Interlocked.CompareExchange(ref _course.Reason, (int)reason, 0) == 0)
        {
            try
            {
                _source.Cancel();
            }
            catch (Exception e) when (e is ObjectDisposedException or AggregateException)
            {
                // The exchange ended in this very moment, or what an app's filter or handler does when it is cut off has failed:
                // all others were called, and an exception here would end the process.
            }

            Volatile.Read(ref _course.Sleeper)?.Wake();
        }
    }

    /// <summary>The exchange is over. What may be used again is with the next before this returns.</summary>
    public void Dispose()
    {
        // Returns once the callback does, if that is running: nobody cuts it off for this client any more.
        _client.Dispose();
        if (!_wheel.Remove(this))
        {
            _source.Dispose();
        }
    }

    internal void CutOffBy(CancellationToken clientGone) =>
        _client = clientGone.UnsafeRegister(static state => ((ExchangeClock)state!).Cut(CutOff.ClientGone), this);

    /// <summary>It has been taken out of the wheel's stripe to be looked at: who did that may hold it for longer than the exchange lasts.</summary>
    internal void NoteListed() => _course.IsListed = true;

    /// <summary>
    /// Makes it as new, if nobody can hold it or its token any more: the wheel has taken it out of no stripe, its client's callback is
    /// gone, its token went to nobody who might keep it, and it was not cut off.
    /// </summary>
    /// <returns>False: it ends with its exchange.</returns>
    internal bool TryRenew()
    {
        if (!_mayServeAgain || _course.IsListed || _course.IsHandedOut || _course.Reason != 0 || !_source.TryReset())
        {
            return false;
        }

        (_client, _course) = (default, new Course());
        return true;
    }

    /// <summary>All that is of one exchange: who serves again begins with a new one, so that nothing can be left of the last.</summary>
    private struct Course()
    {
        public long PhaseEnd = Never;
        public CutOff Phase;
        public long TotalEnd = Never;
        public long PatienceEnd = Never;
        public long Idle;
        public long LastRead;
        public long Heartbeat;
        public long LastSign;
        public ISleeper? Sleeper;
        public long Stall;
        public object? Reader;
        public Func<object, long>? Progress;
        public long Taken;
        public Action? Abort;
        public long WaitingForReader = Never;
        public int Reason;
        public KeyHold Key;

        // At most two at once: an attempt and its hedge.
        public Attempt? First;
        public Attempt? Second;
        public bool IsHandedOut;
        public bool IsListed;
    }
}
