using System.Numerics;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>The targets of a route, by priority, with their live state.</summary>
internal sealed class Pool(Route route, Candidate[] candidates, RouteState state)
{
    public Route Route { get; } = route;

    /// <summary>By priority.</summary>
    public Candidate[] Candidates { get; } = candidates;

    public RouteState State { get; } = state;

    /// <summary>Picks one of several of the same priority.</summary>
    /// <param name="ready">A bit for each that may be picked; at least one.</param>
    /// <param name="key">What it hangs on.</param>
    public int Pick(ulong ready, in PickKey key)
    {
        _ = key;
        return Candidates.Length > 0 ? BitOperations.TrailingZeroCount(ready) : -1;
    }
}
