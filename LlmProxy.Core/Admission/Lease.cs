using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admission;

/// <summary>
/// What a request has set aside of every limit that it must pass. Exactly one of its two ways out counts: it is settled by what was
/// used, or given back whole. Calls after the first do nothing.
/// </summary>
/// <remarks>A value that lives in the exchange: no request makes an object for it. Only to be used where it stands, never as a copy.</remarks>
internal struct Lease
{
    private const int Held = 1;

    private readonly CallerLimits? _limits;
    private readonly Meters? _meters;
    private readonly Meter? _user;
    private readonly ModelAnswers? _answers;
    private readonly Claim _claim;
    private readonly long _second;
    private readonly long _minute;
    private readonly CivilDay? _keyDay;
    private readonly CivilDay? _poolDay;
    private int _state;

    /// <param name="limits">Whose.</param>
    /// <param name="meters">Tell the time.</param>
    /// <param name="user">The end user's, if there is one.</param>
    /// <param name="answers">Learn from the answer; null if nobody asks them.</param>
    /// <param name="claim">What was set aside.</param>
    /// <param name="key">When, for the key.</param>
    /// <param name="pool">When, for its group.</param>
    public Lease(CallerLimits limits, Meters meters, Meter? user, ModelAnswers? answers, in Claim claim, in Moment key, in Moment pool)
    {
        (_limits, _meters, _user, _answers, _claim) = (limits, meters, user, answers, claim);
        (_second, _minute, _keyDay, _poolDay, _state) = (key.Second, key.Minute, key.Day, pool.Day, Held);
    }

    /// <summary>Something was admitted by it.</summary>
    public readonly bool IsGiven => _limits is not null;

    /// <summary>Somebody has to know what the request uses: it counts for a limit of tokens or a budget.</summary>
    public readonly bool CountsUsage => _limits is { CountsTokens: true } or { HasBudget: true };

    /// <summary>The day of the admission where the key lives: all of the request is booked to that day.</summary>
    public readonly DateOnly KeyDay => _keyDay?.Date ?? default;

    /// <summary>The same where the group lives; of no meaning without a group.</summary>
    public readonly DateOnly GroupDay => _poolDay?.Date ?? default;

    /// <summary>The end user that the request is for; null if they are not told apart.</summary>
    public string? EndUser { readonly get; init; }

    /// <summary>What the input was taken for, for who has to say what a request without usage has used.</summary>
    public long PromptEstimate { readonly get; init; }

    /// <summary>The request has ended and has used so much: what was set aside beyond that is free again at once.</summary>
    /// <param name="tokens">In and out together.</param>
    /// <param name="cost">US dollars; null where the model has no price.</param>
    public void Settle(long tokens, decimal? cost)
    {
        if (Interlocked.Exchange(ref _state, 0) == Held)
        {
            End(new Claim(tokens, Money.FromDollars(cost ?? 0)), isGivenBack: false);
        }
    }

    /// <summary>Nothing was used.</summary>
    public void GiveBack()
    {
        if (_state == Held && Interlocked.Exchange(ref _state, 0) == Held)
        {
            End(default, isGivenBack: true);
        }
    }

    /// <summary>A whole answer had so many tokens: what the next is expected to have.</summary>
    public readonly void Learn(in Usage usage)
    {
        if (usage.Output > 0)
        {
            _answers?.Learn(usage.Output);
        }
    }

    /// <summary>What its limits of requests and tokens have left, for the answer's headers.</summary>
    public readonly RateView Rates() => _limits is { HasRates: true } limits ? RateView.Of(limits, _user, _meters!) : default;

    private readonly void End(in Claim used, bool isGivenBack)
    {
        if (_limits is not { } limits || (!limits.IsLimited && (used.Money == 0 || isGivenBack)))
        {
            return;
        }

        var now = _meters!.Now().Second;
        Settle(limits.Meter, limits.Ceilings, _keyDay!, now, used, isGivenBack);
        if (limits.Pool is { } pool)
        {
            Settle(pool.Meter, pool.Ceilings, _poolDay!, now, used, isGivenBack);
            if (_user is not null)
            {
                Settle(_user, limits.Users!.Ceilings, _poolDay!, now, used, isGivenBack);
            }
        }
    }

    private readonly void Settle(Meter meter, in Ceilings ceilings, CivilDay day, long second, in Claim used, bool isGivenBack)
    {
        while (!meter.TrySettle(ceilings, _claim, used, isGivenBack, new Moment(_second, _minute, day), second))
        {
            meter = _meters!.Of(meter.Name);
        }
    }
}
