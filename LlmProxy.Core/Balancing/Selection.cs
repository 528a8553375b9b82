using System.Numerics;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>How a candidate was come by.</summary>
internal enum Standing
{
    /// <summary>It may be asked.</summary>
    Ready,

    /// <summary>Its places are taken: a request waits there.</summary>
    Full,

    /// <summary>It is out and so are all others: it is tried all the same.</summary>
    Forced,
}

/// <summary>One request's way through the targets of its model: whom to ask now, and whom after that.</summary>
internal sealed partial class Selection
{
    private readonly Pool _pool;
    private readonly RouteMatch _match;
    private readonly TimeProvider _time;
    private readonly PickKey _key;
    private ulong _all;
    private ulong _open;

    public Selection(Pool pool, in RouteMatch match, Operations operation, Caller caller, in PickKey key, TimeProvider time)
    {
        _pool = pool;
        _match = match;
        _time = time;
        _key = key;
        Caller = caller;
        for (var i = 0; i < pool.Candidates.Length; i++)
        {
            var target = pool.Candidates[i].Target;
            var upstream = target.Upstream;
            if (target.Serves(operation, match.Star) && (match.Keeper is null || match.Keeper == upstream.Name) && upstream.Carries(caller.UpstreamTags))
            {
                _open |= 1UL << i;
            }
        }

        _all = _open;
        Count = BitOperations.PopCount(_open);
    }

    public Caller Caller { get; }

    /// <summary>What the route's star stands for.</summary>
    public ReadOnlySpan<char> Star => _match.Star;

    public Route Route => _pool.Route;

    public RouteState State => _pool.State;

    /// <summary>Targets that may serve this request at all.</summary>
    public int Count { get; private set; }

    /// <summary>They belong to more than one upstream.</summary>
    public bool HasSeveralUpstreams
    {
        get
        {
            var first = First.Upstream;
            for (var left = _open & (_open - 1); left != 0; left &= left - 1)
            {
                if (_pool.Candidates[BitOperations.TrailingZeroCount(left)].Target.Upstream != first)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Somebody is left who could be asked now.</summary>
    public bool HasNext() => _open != 0 && (ReadyAt(Clock.Ms(_time), out var full) | full) != 0;

    /// <summary>The first in order of those that may serve it, for what has to be known before one is chosen.</summary>
    public Target First => _pool.Candidates[BitOperations.TrailingZeroCount(_open)].Target;

    /// <summary>
    /// Leaves one upstream, because only one account can read what the request carries: the one that answered the conversation
    /// before, or if nobody remembers, the one where such requests belong.
    /// </summary>
    public void KeepToOneUpstream()
    {
        var keeper = -1;
        for (var left = _open; left != 0 && keeper < 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            keeper = State.Homes.IsAt(_key.Conversation, _pool.Candidates[index].Account) ? index : -1;
        }

        keeper = keeper < 0 ? _pool.HomeOf(_open, _key) : keeper;
        if (keeper < 0)
        {
            var now = Clock.Ms(_time);
            keeper = _pool.Pick(ReadyAt(now, out _) is not 0 and var ready ? ready : _open, _key, now);
        }

        var upstream = _pool.Candidates[keeper].Target.Upstream;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            _open &= _pool.Candidates[index].Target.Upstream == upstream ? ulong.MaxValue : ~(1UL << index);
        }

        _all = _open;
        Count = BitOperations.PopCount(_open);
    }

    /// <summary>A whole answer has come, before its end goes out: the next request of its conversation may follow at once.</summary>
    /// <param name="upstream">The name of who gave it.</param>
    /// <param name="model">The model there, as configured.</param>
    /// <param name="usage">What it reported.</param>
    public void Learn(string? upstream, string? model, in Usage usage)
    {
        if ((_key.Hash | _key.Conversation) == 0)
        {
            return;
        }

        foreach (var candidate in _pool.Candidates)
        {
            if (candidate.Target.Upstream.Name == upstream && candidate.Target.Model == model)
            {
                State.Homes.Remember(_key.Conversation, candidate.Account);
                if (Route.Balance == TargetBalance.Affinity && _key.Hash != 0)
                {
                    candidate.Load.Cache.Note(_key.Hash, usage, Clock.Ms(_time));
                }

                return;
            }
        }
    }

    /// <summary>Picks the next to ask, which is not picked again. Null if nobody can be asked.</summary>
    /// <param name="standing">How it was come by.</param>
    public Candidate? Next(out Standing standing)
    {
        var now = Clock.Ms(_time);
        while (_open != 0)
        {
            var ready = ReadyAt(now, out var full);
            standing = ready != 0 ? Standing.Ready : Standing.Full;
            if ((ready | full) == 0)
            {
                break;
            }

            var index = ready != 0 ? _pool.Pick(ready, _key, now) : _pool.ShortestQueue(full);
            _open &= ~(1UL << index);
            var candidate = _pool.Candidates[index];
            if (candidate.State.TryBegin(candidate.Target, _match.Star, Count == 1, now))
            {
                return candidate;
            }
        }

        standing = Standing.Forced;
        return null;
    }

    /// <summary>Picks the next of those that may be asked at once, which is not picked again. Null if there is none.</summary>
    public Candidate? NextReady()
    {
        var now = Clock.Ms(_time);
        while (ReadyAt(now, out _) is not 0 and var ready)
        {
            var index = _pool.Pick(ready, _key, now);
            _open &= ~(1UL << index);
            var candidate = _pool.Candidates[index];
            if (candidate.State.TryBegin(candidate.Target, _match.Star, Count == 1, now))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>Picks the one whose breaker has been open longest, when all are out. Null if none is open, or that is not wanted.</summary>
    public Candidate? Forced()
    {
        if (!Route.Failover.FailOpen)
        {
            return null;
        }

        var now = Clock.Ms(_time);
        var best = -1;
        var earliest = long.MaxValue;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            var state = _pool.Candidates[index].State;
            if (state.Breaker.IsOpen && Look(index, now, out _) == Readiness.Out && state.Breaker.OpenedAt < earliest)
            {
                (best, earliest) = (index, state.Breaker.OpenedAt);
            }
        }

        if (best < 0)
        {
            return null;
        }

        _open &= ~(1UL << best);
        return _pool.Candidates[best];
    }

    /// <summary>Picks one with a larger context window than that of another; null if none is ready.</summary>
    public Candidate? NextLarger(Target than)
    {
        var larger = 0UL;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            if (_pool.Candidates[index].Target.Context > than.Context)
            {
                larger |= 1UL << index;
            }
        }

        _open = larger;
        return Next(out var standing) is { } found && standing == Standing.Ready ? found : null;
    }

    /// <summary>What is to be said when nobody can be asked.</summary>
    public ProxyError Nobody()
    {
        const int longest = 60_000;
        var now = Clock.Ms(_time);
        var wait = (long)longest;
        var cause = FailureCause.None;
        for (var left = _all; left != 0; left &= left - 1)
        {
            var state = _pool.Candidates[BitOperations.TrailingZeroCount(left)].State;
            var readiness = Look(BitOperations.TrailingZeroCount(left), now, out var until);
            var own = readiness == Readiness.Cooling ? FailureCause.RateLimited : state.Breaker.IsOpen ? FailureCause.Failed : state.AccountCause(now);
            cause = cause == FailureCause.None || cause == own ? own : FailureCause.Failed;
            wait = Math.Min(wait, Math.Max(until - now, 1));
        }

        return cause switch
        {
            FailureCause.RateLimited or FailureCause.QuotaGone => ProxyErrors.AllCooling((int)wait),
            FailureCause.KeyRefused => ProxyErrors.AuthError,
            _ => ProxyErrors.NoHealthyUpstream((int)wait),
        };
    }

    private ulong ReadyAt(long now, out ulong full)
    {
        var ready = 0UL;
        full = 0;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            switch (Look(index, now, out _))
            {
                case Readiness.Ready:
                    ready |= 1UL << index;
                    break;
                case Readiness.Full:
                    full |= 1UL << index;
                    break;
            }
        }

        return ready;
    }

    private Readiness Look(int index, long now, out long until)
    {
        var candidate = _pool.Candidates[index];
        return candidate.State.Look(candidate.Target, _match.Star, Count == 1, now, out until);
    }
}
