namespace LlmProxy.Core.Balancing;

/// <summary>
/// How long somebody is left alone. What a header asked for simply passes; what was refused without one is left alone for
/// twice as long each time, and one request is the probe that ends it or begins it anew.
/// </summary>
internal sealed class Cooling
{
    private readonly long _firstMs;
    private readonly long _longestMs;
    private readonly Lock _lock = new();
    private long _until;
    private long _stepMs;
    private bool _needsProbe;
    private bool _isAsked;
    private long _probeUntil;

    /// <param name="first">The first time without a header.</param>
    /// <param name="longest">What doubling ends at.</param>
    public Cooling(TimeSpan first, TimeSpan longest)
    {
        _firstMs = (long)first.TotalMilliseconds;
        _longestMs = (long)longest.TotalMilliseconds;
    }

    /// <summary>When it ends, in milliseconds of the clock that is handed in; the past if it has.</summary>
    public long Until => Volatile.Read(ref _until);

    /// <summary>It lasts because that was asked for in so many words.</summary>
    public bool IsAsked => Volatile.Read(ref _isAsked);

    /// <summary>It was refused, rather than asked for a pause.</summary>
    public bool IsRefused => Volatile.Read(ref _needsProbe);

    /// <summary>It is over and nothing is to be tried out.</summary>
    public bool IsOver(long now) => now >= Until && !Volatile.Read(ref _needsProbe);

    /// <summary>May a request go there now? Where a probe is due, only the first who asks may, until it has told or a while has passed.</summary>
    public bool MayAsk(long now, long probeMs)
    {
        if (now < Until)
        {
            return false;
        }

        if (!Volatile.Read(ref _needsProbe))
        {
            return true;
        }

        lock (_lock)
        {
            if (now < _probeUntil || now < _until)
            {
                return false;
            }

            _probeUntil = now + probeMs;
            return true;
        }
    }

    /// <summary>It is left alone for as long as it asked; a shorter time does not shorten a longer one.</summary>
    public void Pause(long now, long forMs, bool isAsked)
    {
        lock (_lock)
        {
            Volatile.Write(ref _isAsked, isAsked || (_isAsked && now < _until));
            Volatile.Write(ref _until, Math.Max(_until, now + forMs));
        }
    }

    /// <summary>It refused without saying for how long.</summary>
    public void Refused(long now)
    {
        lock (_lock)
        {
            // Refusals of requests that were sent before the first of them came back are one refusal.
            if (now < _until && _needsProbe)
            {
                return;
            }

            _stepMs = _needsProbe ? Math.Min(_stepMs * 2, _longestMs) : _firstMs;
            Volatile.Write(ref _until, now + _stepMs);
            _probeUntil = 0;
            Volatile.Write(ref _needsProbe, true);
        }
    }

    /// <summary>It answered.</summary>
    public void Answered()
    {
        if (Volatile.Read(ref _needsProbe))
        {
            lock (_lock)
            {
                _needsProbe = false;
                _stepMs = 0;
                _until = 0;
            }
        }
    }

    /// <summary>The probe told nothing: the next request is one.</summary>
    public void ProbeTold() => Volatile.Write(ref _probeUntil, 0);
}
