using System.Numerics;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Balancing;

/// <summary>What would become of a target, if a request came now.</summary>
/// <param name="Candidate">The target with its live state.</param>
/// <param name="Order">When it would be asked, from 1; 0: it would not.</param>
/// <param name="State">One of <c>ready</c>, <c>full</c>, <c>cooling</c>, <c>out</c> and <c>skipped</c>.</param>
/// <param name="Why">Why it would not be asked; null if it would.</param>
/// <param name="ForMs">For how long, where that is known.</param>
internal readonly record struct TargetView(Candidate Candidate, int Order, string State, string? Why, long? ForMs);

/// <summary>How a selection stands, for people. It takes no place, no probe and nothing of any budget.</summary>
internal partial struct Selection
{
    /// <summary>What the order hangs on: <c>configuration</c>, <c>key</c> (the same for the same caller or conversation), <c>load</c> or <c>chance</c>.</summary>
    public readonly string OrderedBy => Route.Balance switch
    {
        TargetBalance.InOrder => "configuration",
        TargetBalance.LeastLoaded => "load",
        _ => _key.Hash != 0 ? "key" : "chance",
    };

    /// <summary>All targets of the model: first those that would be asked, in their order, then the others and why not.</summary>
    /// <param name="operation">What they must serve.</param>
    public readonly List<TargetView> Explain(Operations operation)
    {
        var now = Clock.Ms(_time);
        var views = new List<TargetView>(_pool.Candidates.Length);
        var ready = ReadyAt(now, out var full);
        var others = _open & ~(ready | full);
        while (ready != 0)
        {
            var index = Foresee(ready);
            ready &= ~(1UL << index);
            views.Add(new TargetView(_pool.Candidates[index], views.Count + 1, "ready", null, null));
        }

        for (; full != 0; full &= full - 1)
        {
            var candidate = _pool.Candidates[BitOperations.TrailingZeroCount(full)];
            views.Add(new TargetView(candidate, views.Count + 1, "full", "all its places are taken: the request would wait for one", null));
        }

        for (; others != 0; others &= others - 1)
        {
            views.Add(ViewOfOut(BitOperations.TrailingZeroCount(others), now));
        }

        for (var left = ~_all & Mask(_pool.Candidates.Length); left != 0; left &= left - 1)
        {
            var candidate = _pool.Candidates[BitOperations.TrailingZeroCount(left)];
            views.Add(new TargetView(candidate, 0, "skipped", WhyNever(candidate, operation), null));
        }

        return views;
    }

    // Not as a request would pick: a pick is remembered. Where it is up to load or chance, the order is only one that may be.
    private readonly int Foresee(ulong ready)
    {
        if (Route.Balance != TargetBalance.LeastLoaded && _pool.HomeOf(ready, _key) is >= 0 and var home)
        {
            return home;
        }

        var first = BitOperations.TrailingZeroCount(ready);
        for (var left = ready; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            var target = _pool.Candidates[index].Target;
            if (target.Priority == _pool.Candidates[first].Target.Priority && target.Weight > 0)
            {
                return index;
            }
        }

        return first;
    }

    private readonly TargetView ViewOfOut(int index, long now)
    {
        var readiness = Look(index, now, out var until, out var cause);
        var why = cause switch
        {
            FailureCause.KeyRefused => "it refused our credentials",
            FailureCause.QuotaGone => "its account has no quota left",
            FailureCause.RateLimited => "it has asked for a pause",
            FailureCause.ModelForbidden => "it refused us this model",
            FailureCause.ModelUnknown => "it does not know this model",
            _ => readiness == Readiness.Cooling ? "it has asked for a pause" : "it fails: its breaker is open, or its health checks find it down",
        };
        return new TargetView(_pool.Candidates[index], 0, readiness == Readiness.Cooling ? "cooling" : "out", why, until > now ? until - now : null);
    }

    private readonly string WhyNever(Candidate candidate, Operations operation)
    {
        var upstream = candidate.Target.Upstream;
        return !candidate.Target.Serves(operation, Match.Star) ? "it does not serve this operation"
            : Match.Keeper is { } keeper && keeper != upstream.Name ? $"what the request goes on from is kept by {keeper}"
            : !upstream.Carries(Caller.UpstreamTags) ? "it does not carry all tags that the caller's requests demand"
            : "the request carries what only one account can read";
    }

    private static ulong Mask(int count) => count >= 64 ? ulong.MaxValue : (1UL << count) - 1;
}
