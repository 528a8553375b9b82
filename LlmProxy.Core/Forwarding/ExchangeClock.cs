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
internal sealed class ExchangeClock : IBodyClock, IDisposable
{
    public const long Never = long.MaxValue;

    private readonly ClockWheel _wheel;
    private readonly CancellationTokenSource _source = new();
    private readonly CancellationTokenRegistration _client;
    private long _phaseEnd = Never;
    private CutOff _phase;
    private long _totalEnd = Never;
    private long _patienceEnd = Never;
    private long _idle;
    private long _lastRead;
    private long _heartbeat;
    private long _lastSign;
    private ISleeper? _sleeper;
    private long _stall;
    private object? _reader;
    private Func<object, long>? _progress;
    private long _taken;
    private Action? _abort;
    private long _waitingForReader = Never;
    private int _reason;
    private KeyHold _key;

    // At most two at once: an attempt and its hedge.
    private Attempt? _first;
    private Attempt? _second;

    /// <param name="wheel">Drives it.</param>
    /// <param name="clientGone">Cuts it off.</param>
    /// <param name="key">What let it in; nothing where no key can end it.</param>
    public ExchangeClock(ClockWheel wheel, CancellationToken clientGone, KeyHold key = default)
    {
        _wheel = wheel;
        _key = key;
        _wheel.Add(this);
        _client = clientGone.UnsafeRegister(static state => ((ExchangeClock)state!).Cut(CutOff.ClientGone), this);
    }

    /// <summary>Its place in the wheel, the wheel's own.</summary>
    internal ClockWheel.Stripe? Stripe { get; set; }

    internal int Slot { get; set; }

    public CancellationToken Token => _source.Token;

    public CutOff Reason => (CutOff)Volatile.Read(ref _reason);

    /// <summary>The key that let it in.</summary>
    public ref KeyHold Key => ref _key;

    /// <summary>Cuts the exchange off when <paramref name="after"/> has passed, unless another phase begins before. Zero: never.</summary>
    public void Begin(CutOff phase, TimeSpan after)
    {
        _phase = phase;
        Volatile.Write(ref _phaseEnd, EndOf(after));
    }

    /// <summary>The same, at a time of the wheel.</summary>
    public void BeginUntil(CutOff phase, long end)
    {
        _phase = phase;
        Volatile.Write(ref _phaseEnd, end);
    }

    /// <summary>A phase has begun and not ended.</summary>
    public bool IsInPhase => Volatile.Read(ref _phaseEnd) != Never;

    public void BeginBody(TimeSpan longest) => Begin(CutOff.Body, longest);

    public void EndBody() => EndPhase();

    public void EndPhase() => Volatile.Write(ref _phaseEnd, Never);

    public void LimitTotal(TimeSpan after) => Volatile.Write(ref _totalEnd, EndOf(after));

    /// <summary>How long the client waits for the first output. Zero: as long as we do.</summary>
    public void LimitPatience(TimeSpan after) => Volatile.Write(ref _patienceEnd, EndOf(after));

    public void EndPatience() => Volatile.Write(ref _patienceEnd, Never);

    /// <summary>An attempt's own clock runs beside the exchange's.</summary>
    public void Watch(Attempt attempt)
    {
        if (Interlocked.CompareExchange(ref _first, attempt, null) is not null)
        {
            Interlocked.Exchange(ref _second, attempt);
        }
    }

    public void Unwatch(Attempt attempt)
    {
        Interlocked.CompareExchange(ref _first, null, attempt);
        Interlocked.CompareExchange(ref _second, null, attempt);
    }

    /// <summary>From now on two reads may be at most this far apart.</summary>
    public void WatchIdle(TimeSpan idle)
    {
        Volatile.Write(ref _lastRead, _wheel.Now);
        Volatile.Write(ref _idle, (long)idle.TotalMilliseconds);
    }

    /// <summary>From now on the sleeper is woken when nothing was read and no heartbeat sent for this long.</summary>
    public void WatchQuiet(TimeSpan heartbeat, ISleeper sleeper)
    {
        _sleeper = sleeper;
        Volatile.Write(ref _lastSign, _wheel.Now);
        Volatile.Write(ref _heartbeat, (long)heartbeat.TotalMilliseconds);
    }

    /// <summary>From now on a client may take at most this long to take what it was sent.</summary>
    /// <param name="stalled">Zero: as long as it likes.</param>
    /// <param name="reader">Its connection; null if nobody can ask that.</param>
    /// <param name="progress">Says of a connection how many bytes it has taken, or -1.</param>
    public void WatchReader(TimeSpan stalled, object? reader = null, Func<object, long>? progress = null)
    {
        (_reader, _progress) = (reader, progress);
        Volatile.Write(ref _stall, (long)stalled.TotalMilliseconds);
    }

    private long TakenByReader() => _reader is not null && _progress is not null ? _progress(_reader) : -1;

    /// <summary>Something was read from the upstream.</summary>
    public void Touch()
    {
        var now = _wheel.Now;
        Volatile.Write(ref _lastRead, now);
        Volatile.Write(ref _lastSign, now);
    }

    /// <summary>A heartbeat went out. The upstream's idle clock goes on.</summary>
    public void TouchQuiet() => Volatile.Write(ref _lastSign, _wheel.Now);

    /// <summary>A heartbeat is due.</summary>
    public bool IsQuiet => Volatile.Read(ref _heartbeat) is > 0 and var heartbeat && _wheel.Now - Volatile.Read(ref _lastSign) >= heartbeat;

    /// <param name="abort">Called when the client has stalled: nothing else ends a write that nobody takes.</param>
    public void BeginWaitForReader(Action? abort = null)
    {
        Volatile.Write(ref _abort, abort);
        _taken = TakenByReader();
        Volatile.Write(ref _waitingForReader, _wheel.Now);
    }

    public void EndWaitForReader() => Volatile.Write(ref _waitingForReader, Never);

    public void Cut(CutOff reason)
    {
        if (Interlocked.CompareExchange(ref _reason, (int)reason, 0) == 0)
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

            Volatile.Read(ref _sleeper)?.Wake();
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _wheel.Remove(this);
        _source.Dispose();
    }

    /// <summary>The time of the wheel that is this far away; zero is never.</summary>
    internal long EndOf(TimeSpan after) => after > TimeSpan.Zero ? _wheel.Now + (long)after.TotalMilliseconds : Never;

    internal bool IsDue(long now) =>
        Expired(now) != CutOff.None || IsQuietAt(now)
        || Volatile.Read(ref _first)?.IsDue(now) == true || Volatile.Read(ref _second)?.IsDue(now) == true;

    internal void Fire(long now)
    {
        Volatile.Read(ref _first)?.Fire(now);
        Volatile.Read(ref _second)?.Fire(now);
        if (Expired(now) is not CutOff.None and var reason)
        {
            Cut(reason);
            if (reason == CutOff.StalledReader)
            {
                Volatile.Read(ref _abort)?.Invoke();
            }
        }
        else if (IsQuietAt(now))
        {
            _sleeper?.Wake();
        }
    }

    private bool IsQuietAt(long now) => Volatile.Read(ref _heartbeat) is > 0 and var heartbeat && now - Volatile.Read(ref _lastSign) >= heartbeat;

    private CutOff Expired(long now)
    {
        // What was cut off may still be saying so to a client that does not read.
        if (Volatile.Read(ref _reason) != 0)
        {
            return StalledAt(now);
        }

        if (now >= Volatile.Read(ref _phaseEnd))
        {
            return _phase;
        }

        if (now >= Volatile.Read(ref _patienceEnd))
        {
            return CutOff.Impatience;
        }

        if (now >= Volatile.Read(ref _totalEnd))
        {
            return CutOff.Total;
        }

        if (Volatile.Read(ref _idle) is > 0 and var idle && now - Volatile.Read(ref _lastRead) >= idle)
        {
            // What waits for its client cannot read: that is not the upstream's silence.
            return Volatile.Read(ref _waitingForReader) == Never ? CutOff.Idle : StalledAt(now);
        }

        return StalledAt(now);
    }

    private CutOff StalledAt(long now)
    {
        if (Volatile.Read(ref _stall) is not (> 0 and var stall)
            || Volatile.Read(ref _waitingForReader) is var since && (since == Never || now - since < stall))
        {
            return CutOff.None;
        }

        // Slow but moving: never cut.
        if (TakenByReader() is var taken && taken > _taken)
        {
            _taken = taken;
            Interlocked.CompareExchange(ref _waitingForReader, now, since);
            return CutOff.None;
        }

        return CutOff.StalledReader;
    }
}
