using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core.Admission;

/// <summary>
/// May it run now? The front door of the fifth stage. What a request may use is set aside before it goes anywhere, of every limit or
/// of none: of any number that come at once, as many are let in as there is room for.
/// </summary>
internal sealed class Admitter(Meters meters, AnswerBook answers)
{
    private const int LongestUser = 256;

    /// <summary>Sets aside what a request may use.</summary>
    /// <param name="caller">Whose limits it has to pass.</param>
    /// <param name="endpoint">What it asks for.</param>
    /// <param name="route">Where it may go: the dearest target counts.</param>
    /// <param name="request">What it says of its length.</param>
    /// <param name="headers">May name an end user.</param>
    /// <param name="unpriced">What becomes of it if it has a budget and its model has no price.</param>
    /// <param name="lease">What was set aside; nothing if there is an error.</param>
    /// <param name="mayAsk">Other replicas may have what there is not: ask them, once, and try again.</param>
    /// <returns>Which limit has no room; null if it may run.</returns>
    public ProxyError? Reserve(
        Caller caller, Endpoint endpoint, in RouteMatch route, in ReadRequest request, IHeaderDictionary headers, UnpricedModels unpriced, ref Lease lease, out bool mayAsk)
    {
        ProxyError? refused;
        while (!TryReserve(caller, endpoint, route, request, headers, unpriced, ref lease, out mayAsk, out refused))
        {
            // A meter of its was forgotten while it came: there is another by now.
        }

        return refused;
    }

    /// <returns>False if it has to look for its meters again.</returns>
    private bool TryReserve(
        Caller caller, Endpoint endpoint, in RouteMatch route, in ReadRequest request, IHeaderDictionary headers, UnpricedModels unpriced, ref Lease lease, out bool mayAsk,
        out ProxyError? refused)
    {
        (mayAsk, refused) = (false, null);
        var limits = LimitsOf(caller);
        limits.Meter.Fetch();
        limits.PoolMeter?.Fetch();
        var user = limits.Users is { } users ? UserOf(headers, users.Header) : null;
        var meter = user is null ? null : limits.Users!.Meters.Of(user);
        var prompt = Estimate.IsCharged(endpoint) ? PromptSize.Of(request.Body.Bytes) : default;
        ModelAnswers? known = null;
        var claim = default(Claim);
        if ((limits.CountsTokens || limits.HasBudget) && Estimate.IsCharged(endpoint))
        {
            if (limits.HasBudget && meters.Sharing is null && !meters.IsSpendKnown)
            {
                refused = ProxyErrors.SpendUnknown;
                return true;
            }

            known = answers.Of(limits.Meter, route.Resolved);
            if (!new Estimate(caller, limits, endpoint, in route, in request, unpriced).Make(prompt, known.Expected).TryGet(out claim, out refused))
            {
                return true;
            }
        }

        var now = meters.Now();
        var key = now.At(limits.Calendar);
        var pool = limits.Pool is { } group ? now.At(group.Calendar) : key;
        if (limits.IsLimited)
        {
            refused = TryTake(limits, meter, claim, key, pool, out mayAsk, out var isStale);
            if (isStale || refused is not null)
            {
                return !isStale;
            }
        }

        lease = new Lease(limits, meters, meter, known, claim, key, pool) { EndUser = user, PromptEstimate = prompt.Tokens };
        return true;
    }

    /// <summary>Waits a moment for what other replicas can spare.</summary>
    public Task AskAsync(CancellationToken cancellation) => meters.Sharing?.AskAsync(cancellation) ?? Task.CompletedTask;

    /// <summary>What a caller has left, for whom nothing was set aside.</summary>
    public RateView RatesOf(Caller caller, IHeaderDictionary headers) =>
        LimitsOf(caller) is { HasRates: true } limits
            ? RateView.Of(limits, limits.Users is { } users ? users.Meters.Of(UserOf(headers, users.Header)) : null, meters)
            : default;

    /// <summary>How the limits stand that a caller has to pass, those of the end user among them whom its headers name.</summary>
    public IReadOnlyList<LimitState> StatesOf(Caller caller, IHeaderDictionary headers)
    {
        var states = new LimitStates(meters);
        var found = states.Of(caller);
        if (caller is { Group: { } group, Pool.EndUser: { } users })
        {
            found.AddRange(states.OfUser(group, users, caller.PoolZone, UserOf(headers, users.Header)));
        }

        return found;
    }

    /// <summary>All that is known of a caller's limits.</summary>
    public CallerLimits LimitsOf(Caller caller)
    {
        if (caller.Meter is Meter { IsForgotten: false } && caller.Limits is CallerLimits { IsStale: false } limits)
        {
            return limits;
        }

        var made = new CallerLimits(caller, meters);
        (caller.Meter, caller.Limits) = (made.Meter, made);
        return made;
    }

    // What a header cannot hold cannot get here; a name that is longer is cut, and those who are called the same then share.
    // Never inside a character: half of one the ledger writes otherwise, and what the user has spent would be another's.
    private static string UserOf(IHeaderDictionary headers, string name)
    {
        var user = headers.TryGetValue(name, out var values) ? values.ToString().Trim() : "";
        return user.Length <= LongestUser ? user : user[..(char.IsHighSurrogate(user[LongestUser - 1]) ? LongestUser - 1 : LongestUser)];
    }

    /// <summary>Takes of all or of none. Their turns are taken in one order by everybody, so nobody waits in a circle.</summary>
    private static ProxyError? TryTake(CallerLimits limits, Meter? user, in Claim claim, in Moment key, in Moment pool, out bool mayAsk, out bool isStale)
    {
        (mayAsk, isStale) = (false, false);

        // Where nothing is limited nothing is set aside, and what is shared by many is not waited for.
        var own = limits.Ceilings.HasAny ? limits.Meter : null;
        var group = limits.Pool is { } shared && shared.Ceilings.HasAny ? shared : null;
        user = limits.Users?.Ceilings.HasAny == true ? user : null;
        var shortfall = default(Shortfall);
        Holder holder;
        own?.Enter();
        group?.Meter.Enter();
        user?.Enter();
        try
        {
            // Looked at before as well, but only now can nobody forget one any more: what is taken of it would be taken of nothing.
            if (own is { IsForgotten: true } || group is { Meter.IsForgotten: true } || user is { IsForgotten: true })
            {
                isStale = true;
                return null;
            }

            if (own is not null && own.IsShort(limits.Ceilings, claim, key, ref shortfall))
            {
                holder = Holder.Key;
            }
            else if (group is not null && group.Meter.IsShort(group.Ceilings, claim, pool, ref shortfall))
            {
                holder = Holder.Group;
            }
            else if (user is not null && user.IsShort(limits.Users!.Ceilings, claim, pool, ref shortfall))
            {
                holder = Holder.User;
            }
            else
            {
                own?.Take(limits.Ceilings, claim, key);
                group?.Meter.Take(group.Ceilings, claim, pool);
                user?.Take(limits.Users!.Ceilings, claim, pool);
                return null;
            }

            if (mayAsk = shortfall.MayHaveMore)
            {
                // What the others lack is asked for along with it: a request asks only once.
                var other = shortfall;
                group?.Meter.IsShort(group.Ceilings, claim, pool, ref other);
                user?.IsShort(limits.Users!.Ceilings, claim, pool, ref other);
            }
        }
        finally
        {
            user?.Exit();
            group?.Meter.Exit();
            own?.Exit();
        }

        return holder == Holder.Key ? Refusals.Of(shortfall, holder, limits.Calendar, key.Day) : Refusals.Of(shortfall, holder, limits.Pool!.Calendar, pool.Day);
    }
}
