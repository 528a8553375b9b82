using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Balancing;

/// <summary>
/// How long somebody is left alone. What a header asked for simply passes; what was refused without one is left alone for
/// twice as long each time, and one request is the probe that ends it or begins it anew.
/// </summary>
/// <param name="first">The first time of a refusal.</param>
/// <param name="longest">What doubling ends at.</param>
internal sealed class Cooling(TimeSpan first, TimeSpan longest)
{
    // A probe that has not told by then does not keep the next one out.
    private const long ProbeMs = 30_000;

    private readonly long _firstMs = (long)first.TotalMilliseconds;
    private readonly long _longestMs = (long)longest.TotalMilliseconds;
    private readonly Lock _lock = new();
    private long _pausedUntil;
    private long _refusedUntil;
    private long _stepMs;
    private long _probeUntil;
    private bool _isAsked;
    private int _refusal;
    private int _pause;

    /// <summary>When it ends, in milliseconds of the clock that is handed in; the past if it has.</summary>
    public long Until => Math.Max(Volatile.Read(ref _pausedUntil), IsRefused ? Math.Max(Volatile.Read(ref _refusedUntil), Volatile.Read(ref _probeUntil)) : 0);

    /// <summary>It was refused, rather than asked for a pause.</summary>
    public bool IsRefused => Volatile.Read(ref _refusal) != 0;

    /// <summary>Why.</summary>
    public FailureCause Cause => (FailureCause)(Volatile.Read(ref _refusal) is not 0 and var refusal ? refusal : Volatile.Read(ref _pause));

    /// <summary>It lasts now because a pause was asked for in so many words.</summary>
    public bool IsAsked(long now) => Volatile.Read(ref _isAsked) && now < Volatile.Read(ref _pausedUntil);

    /// <summary>It is over and nothing is to be tried out.</summary>
    public bool IsOver(long now) => now >= Until && !IsRefused;

    /// <summary>May a request go there now? Where a probe is due, only the first who asks may, until it has told or a while has passed.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="probe">To be handed to <see cref="ProbeTold"/>; 0 if it is no probe.</param>
    public bool MayAsk(long now, out long probe)
    {
        probe = 0;
        if (now < Until)
        {
            return false;
        }

        if (!IsRefused)
        {
            return true;
        }

        lock (_lock)
        {
            if (now < Until)
            {
                return false;
            }

            probe = now + ProbeMs;
            Volatile.Write(ref _probeUntil, probe);
            return true;
        }
    }

    /// <summary>It is left alone for as long as it asked; a shorter time does not shorten a longer one.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="forMs">How long.</param>
    /// <param name="isAsked">It asked in so many words.</param>
    /// <param name="cause">What it said.</param>
    public void Pause(long now, long forMs, bool isAsked, FailureCause cause)
    {
        lock (_lock)
        {
            Volatile.Write(ref _isAsked, isAsked || IsAsked(now));
            Volatile.Write(ref _pause, (int)cause);
            Volatile.Write(ref _pausedUntil, Math.Max(_pausedUntil, now + forMs));
        }
    }

    /// <summary>It refused without saying for how long.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="cause">What it said.</param>
    public void Refused(long now, FailureCause cause)
    {
        lock (_lock)
        {
            // Refusals of requests that were sent before the first of them came back are one refusal.
            if (IsRefused && now < _refusedUntil)
            {
                return;
            }

            _stepMs = IsRefused ? Math.Min(_stepMs * 2, _longestMs) : _firstMs;
            Volatile.Write(ref _refusedUntil, now + _stepMs);
            Volatile.Write(ref _probeUntil, 0);
            Volatile.Write(ref _refusal, (int)cause);
        }
    }

    /// <summary>It answered: what it refused before holds no more. A pause that it asked for meanwhile does.</summary>
    public void Answered()
    {
        if (IsRefused)
        {
            lock (_lock)
            {
                Volatile.Write(ref _refusal, 0);
                _stepMs = 0;
                Volatile.Write(ref _probeUntil, 0);
            }
        }
    }

    /// <summary>A probe told nothing: the next request is one. Another's probe goes on.</summary>
    public void ProbeTold(long probe)
    {
        if (probe != 0)
        {
            Interlocked.CompareExchange(ref _probeUntil, 0, probe);
        }
    }
}
