namespace LlmProxy.Core.Admission;

/// <summary>
/// What was taken in any 60 seconds, of requests and of tokens. Kept by seconds: what was taken counts until the 60th second after its
/// own has passed, so that no 60 seconds, wherever they begin, hold more than the limit; something may count for up to a second more
/// than a minute. Part of a <see cref="Meter"/>, whose turn is held.
/// </summary>
/// <remarks>
/// Not System.Threading.RateLimiting: its windows begin anew at fixed times or are filled up steadily, which both let twice the limit
/// through within one minute; it cannot take of several limits at once, put a smaller use in the place of what was set aside, or go on
/// under another limit after a reload; and its leases are objects.
/// </remarks>
internal struct RateWindows
{
    /// <summary>Seconds after which nothing of what was taken counts any more.</summary>
    public const int Length = 61;

    // A second's requests and tokens are one number, so that both are in one line of the processor's cache: 16 million requests and
    // a million million tokens. Nobody has more in one second, and of who says so no more is believed.
    private const int TokenBits = 40;

    // Those before the newest. Made when the first of them is over: meters of keys with a budget alone never need them.
    private ulong[]? _seconds;

    // The newest stands here: among the others it would be one more place in memory to wait for with each request.
    private ulong _slot;
    private long _newest;
    private long _requests;
    private long _tokens;

    /// <summary>What counts of requests in the second that it was moved to.</summary>
    public readonly long Requests => _requests;

    /// <summary>What counts of tokens in the second that it was moved to.</summary>
    public readonly long Tokens => _tokens;

    /// <summary>Nothing counts in a second.</summary>
    public bool IsEmpty(long at) => Taken(Dimension.Requests, at) == 0 && Taken(Dimension.Tokens, at) == 0;

    /// <summary>What counts in a second.</summary>
    public long Taken(Dimension dimension, long at)
    {
        MoveTo(at);
        return dimension == Dimension.Requests ? _requests : _tokens;
    }

    /// <summary>Sets something aside.</summary>
    public void Take(long at, long requests, long tokens)
    {
        MoveTo(at);
        Add(_newest, requests, tokens);
    }

    /// <summary>Puts what was used in the place of what was set aside, in the second in which that was.</summary>
    /// <param name="at">That second.</param>
    /// <param name="requests">0, or -1 for one that does not count.</param>
    /// <param name="tokens">What was used, less what was set aside.</param>
    /// <param name="now">It may be a minute and more since.</param>
    public void Settle(long at, long requests, long tokens, long now)
    {
        MoveTo(now);
        if (at > _newest - Length)
        {
            Add(Math.Min(at, _newest), requests, tokens);
        }
        else if (tokens > 0)
        {
            // The minute of the admission has passed. What nobody expected then counts now that it is known, or long answers would
            // pass the limit unseen.
            Add(_newest, 0, tokens);
        }
    }

    /// <summary>How many seconds have to pass until so much has gone of what is taken; 0 if that is the case now.</summary>
    public long WaitFor(Dimension dimension, long amount, long now)
    {
        MoveTo(now);
        if (amount <= 0)
        {
            return 0;
        }

        var mayStay = (dimension == Dimension.Requests ? _requests : _tokens) - amount;
        if (mayStay < 0)
        {
            return Length;
        }

        // From the newest back: who asks for all of it, as each answer's headers do, has it at the first second with something in it.
        for (var second = _newest; second > _newest - Length; second--)
        {
            mayStay -= second == _newest ? Of(dimension, _slot) : _seconds is null ? 0 : Of(dimension, _seconds[IndexOf(second)]);
            if (mayStay < 0)
            {
                return second + Length - now;
            }
        }

        return Length;
    }

    /// <summary>Forgets what does not count any more in a second. It never goes back.</summary>
    public void MoveTo(long second)
    {
        if (second > _newest)
        {
            if ((_requests | _tokens) != 0)
            {
                Forget(second);
            }

            _newest = second;
        }
    }

    private void Forget(long second)
    {
        var seconds = _seconds ??= new ulong[Length];
        seconds[IndexOf(_newest)] = _slot;
        _slot = 0;

        // After a minute and more, each of them once.
        for (var passed = Math.Max(_newest, second - Length) + 1; passed <= second; passed++)
        {
            ref var slot = ref seconds[IndexOf(passed)];
            _requests -= Of(Dimension.Requests, slot);
            _tokens -= Of(Dimension.Tokens, slot);
            slot = 0;
        }
    }

    private void Add(long second, long requests, long tokens)
    {
        if ((requests | tokens) == 0)
        {
            return;
        }

        ref var slot = ref second == _newest ? ref _slot : ref (_seconds ??= new ulong[Length])[IndexOf(second)];
        var (hadRequests, hadTokens) = (Of(Dimension.Requests, slot), Of(Dimension.Tokens, slot));
        requests = Math.Clamp(requests, -hadRequests, (1L << (64 - TokenBits)) - 1 - hadRequests);
        tokens = Math.Clamp(tokens, -hadTokens, (1L << TokenBits) - 1 - hadTokens);
        slot += ((ulong)requests << TokenBits) + (ulong)tokens;
        _requests += requests;
        _tokens += tokens;
    }

    private static long Of(Dimension dimension, ulong slot) =>
        (long)(dimension == Dimension.Requests ? slot >> TokenBits : slot & ((1UL << TokenBits) - 1));

    private static int IndexOf(long second) => (int)((ulong)second % Length);
}
