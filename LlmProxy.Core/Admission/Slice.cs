namespace LlmProxy.Core.Admission;

/// <summary>
/// This replica's part of one limit that all replicas share: how much it may use of a window, and until when. Part of a
/// <see cref="Meter"/>, whose turn is held.
/// </summary>
internal sealed class Slice(Meter meter, Dimension dimension)
{
    // What is kept ready for the next moments, as a share of all and in exchanges' worth of what is used.
    private const long LargestShare = 8;
    private const long Ahead = 3;

    // Exchanges without any use, after which nothing is kept ready any more.
    private const int LongestQuiet = 5;

    private long _window;
    private long _granted;
    private long _expires;
    private long _told;
    private long _usedByAll;
    private long _base;
    private long _recent;
    private long _pace;
    private int _quiet;
    private long _wanted;
    private long _lastAsked;
    private long _lastPaced = long.MinValue / 2;
    private long _keepUntil = long.MinValue / 2;
    private bool _isGrantedLess;

    // Something was said, and whether the store has heard it nobody knows.
    private bool _isUnanswered;

    public Meter Meter { get; } = meter;

    public Dimension Dimension { get; } = dimension;

    /// <summary>As the store calls it.</summary>
    public string Name { get; } = meter.Name + dimension switch
    {
        Dimension.Requests => "/requests",
        Dimension.Tokens => "/tokens",
        Dimension.Concurrent => "/concurrent",
        _ => "/usd",
    };

    /// <summary>Of the configuration that used it last.</summary>
    public long Limit { get; set; }

    /// <summary>It is among those that are exchanged.</summary>
    public bool IsListed { get; set; }

    /// <summary>What more may be taken now.</summary>
    public long Room(in Pot pot, long second) => second <= _expires && pot.Window == _window ? _granted - pot.Used - pot.Reserved : 0;

    /// <summary>It counts only if it could not be renewed.</summary>
    public bool IsExpired(long second) => second > _expires;

    /// <summary>What all replicas together have used, as far as that is known here.</summary>
    public long UsedByAll(in Pot pot) => pot.Window == _window ? _usedByAll - _told + pot.Used : Math.Max(0, pot.Used - _base);

    /// <summary>Something was taken.</summary>
    public void Note(long amount) => _recent += amount;

    /// <summary>Something was not there to take.</summary>
    /// <returns>False if it was asked for a moment ago and there was not enough: nobody waits for the same answer again.</returns>
    public bool Want(long amount, long milliseconds)
    {
        if (_isGrantedLess && milliseconds - _lastAsked < LimitSharing.IntervalMs)
        {
            return false;
        }

        // All who wait, or of many who come at once to a replica that has nothing yet one would get in.
        _wanted = Math.Min(Limit, _wanted + amount);
        return true;
    }

    /// <summary>It was used before it was shared: the store knows of that from elsewhere.</summary>
    public void Begin(in Pot pot) => (_window, _base, _told) = (pot.Window, pot.Used, pot.Used);

    /// <summary>What to tell and to ask for. What is not asked for any more is let go here and now, whatever becomes of the question.</summary>
    /// <param name="pot">What was used.</param>
    /// <param name="second">Now.</param>
    /// <param name="milliseconds">Now.</param>
    /// <param name="isLast">Nothing will be used any more but what is set aside.</param>
    /// <returns>Null if there is nothing to say.</returns>
    public SliceAsk? Ask(in Pot pot, long second, long milliseconds, bool isLast = false)
    {
        if (pot.Window != _window)
        {
            (_window, _granted, _base, _told, _usedByAll, _isUnanswered) = (pot.Window, 0, 0, 0, 0, false);
        }

        // By the clock: while somebody waits there are many exchanges in a moment.
        if (milliseconds - _lastPaced >= LimitSharing.IntervalMs)
        {
            _quiet = _recent > 0 ? 0 : _quiet + 1;
            _pace = _quiet >= LongestQuiet ? 0 : Math.Max(_recent, _pace * 3 / 4);
            (_recent, _lastPaced) = (0, milliseconds);
        }

        var ahead = Math.Max(_wanted, Math.Min(_pace * Ahead, Math.Max(1, Limit / LargestShare)));
        if (isLast || (_pace == 0 && _wanted == 0))
        {
            ahead = 0;
        }

        // What came for who waits is theirs for a moment: the next exchange may be there before they are.
        _keepUntil = isLast ? milliseconds : _wanted > 0 ? milliseconds + LimitSharing.IntervalMs : _keepUntil;
        var held = Math.Max(0, _granted - pot.Used);
        var hold = Math.Max(pot.Reserved + ahead, milliseconds < _keepUntil ? held : 0);
        var used = Dimension == Dimension.Concurrent ? 0 : pot.Used - _base;
        var isDue = second >= _expires - (LimitSharing.ExpirySeconds * 2 / 3);
        if (used == _told - _base && hold == held && !_isUnanswered && !(isDue && hold > 0))
        {
            // Whoever waits finds it here by now: held for them once more, and not for ever.
            _wanted = 0;
            return null;
        }

        _granted = Math.Min(_granted, pot.Used + hold);
        (_lastAsked, _isUnanswered) = (milliseconds, true);
        return new SliceAsk(this, _window, pot.Used, used, hold, second + LimitSharing.ExpirySeconds, _wanted);
    }

    /// <summary>What the store has answered.</summary>
    public void Answer(in SliceAsk ask, in Pot pot, long held, long usedByAll)
    {
        if (ask.Window != _window || pot.Window != _window)
        {
            return;
        }

        _granted = ask.UsedHere + held;
        _expires = ask.Expires;
        _told = ask.UsedHere;
        _usedByAll = usedByAll;
        _isGrantedLess = held < ask.Hold;
        _isUnanswered = false;
        _wanted = Math.Max(0, _wanted - ask.Wanted);
    }

    /// <summary>Nothing is held or waits to be told: it need not be looked at until it is used again.</summary>
    public bool IsIdle(in Pot pot) => pot.Reserved == 0 && _pace == 0 && _wanted == 0 && _recent == 0 && !_isUnanswered && (pot.Window != _window || (_granted <= pot.Used && _told == pot.Used));
}

/// <summary>What is told and asked of a slice.</summary>
/// <param name="Slice">Which.</param>
/// <param name="Window">Of it.</param>
/// <param name="UsedHere">By the meter.</param>
/// <param name="Used">Of that since it has been shared.</param>
/// <param name="Hold">What it wants beyond that.</param>
/// <param name="Expires">The second in which that ends.</param>
/// <param name="Wanted">What of it somebody waits for.</param>
internal readonly record struct SliceAsk(Slice Slice, long Window, long UsedHere, long Used, long Hold, long Expires, long Wanted);
