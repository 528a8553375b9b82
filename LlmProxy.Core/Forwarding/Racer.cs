namespace LlmProxy.Core.Forwarding;

/// <summary>Two calls for one request, of which the first to commit is taken.</summary>
internal sealed class Race
{
    private Racer? _winner;

    public bool IsWon => Volatile.Read(ref _winner) is not null;

    public bool TryWin(Racer racer) => Interlocked.CompareExchange(ref _winner, racer, null) is null;
}

/// <summary>One of the two: whatever it is doing can be ended without ending the exchange.</summary>
/// <param name="race">What it runs in.</param>
/// <param name="isHedge">It began because the other was slow.</param>
internal sealed class Racer(Race race, bool isHedge)
{
    private readonly Lock _lock = new();
    private Attempt? _attempt;
    private CancellationTokenSource? _waiting;
    private bool _hasLost;

    public bool IsHedge => isHedge;

    public bool HasLost => Volatile.Read(ref _hasLost);

    /// <summary>It has made an attempt.</summary>
    public bool HasBegun => Volatile.Read(ref _attempt) is not null;

    public bool TryWin() => race.TryWin(this);

    /// <summary>It makes an attempt, unless it has lost by now.</summary>
    /// <param name="attempt">Ended when it loses.</param>
    /// <param name="began">Called if it may be made, and never after it has lost.</param>
    public bool TryBegin(Attempt attempt, Action began)
    {
        lock (_lock)
        {
            if (_hasLost || race.IsWon)
            {
                return false;
            }

            _attempt = attempt;
            began();
            return true;
        }
    }

    /// <summary>It waits for a place at its upstream.</summary>
    /// <param name="waiting">Cancelled when it loses; null when the wait is over.</param>
    public void Wait(CancellationTokenSource? waiting)
    {
        lock (_lock)
        {
            _waiting = waiting;
            if (_hasLost)
            {
                waiting?.Cancel();
            }
        }
    }

    /// <summary>Somebody else was faster, or nobody is wanted any more.</summary>
    public void Lose()
    {
        Attempt? attempt;
        CancellationTokenSource? waiting;
        lock (_lock)
        {
            Volatile.Write(ref _hasLost, true);
            (attempt, waiting) = (_attempt, _waiting);
        }

        // Outside: what is waiting there may go on right here.
        attempt?.Cut(CutOff.Superseded);
        try
        {
            waiting?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just got its place, and finds out before it sends anything.
        }
    }
}
