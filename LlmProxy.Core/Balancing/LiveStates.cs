using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Balancing;

/// <summary>
/// What is known of upstreams and models while they are in use. Kept beside the configuration, which is immutable: a reload that
/// does not change an upstream keeps its object, and with it its state.
/// </summary>
/// <param name="time">The app's.</param>
/// <param name="random">Safe for many threads; null: the shared one.</param>
/// <param name="logger">Told when an upstream goes or comes back; null: nobody is.</param>
internal sealed class LiveStates(TimeProvider time, Random? random = null, ILogger<Breaker>? logger = null)
{
    private readonly ConditionalWeakTable<Upstream, UpstreamState> _upstreams = [];
    private readonly ConditionalWeakTable<Route, Pool> _pools = [];
    private readonly ConcurrentDictionary<string, RouteState> _routes = new(StringComparer.Ordinal);

    public UpstreamState Of(Upstream upstream) => _upstreams.GetValue(upstream, created => new UpstreamState(created, time, logger));

    /// <summary>The targets of a route with their states.</summary>
    public Pool Of(Route route) => _pools.TryGetValue(route, out var pool) ? pool : _pools.GetValue(route, Create);

    /// <summary>These are the models of the configuration in force: what is known of others is forgotten, once nobody uses it.</summary>
    public void Retain(IEnumerable<string> models)
    {
        var kept = models.ToHashSet(StringComparer.Ordinal);
        foreach (var name in _routes.Keys.Where(name => !kept.Contains(name)))
        {
            _routes.TryRemove(name, out _);
        }
    }

    private Pool Create(Route route)
    {
        var candidates = new Candidate[route.Targets.Length];
        for (var i = 0; i < candidates.Length; i++)
        {
            var target = route.Targets[i];

            // The same target named twice is two, or one of them would win every lot.
            var twins = route.Targets.Take(i).Count(other => other.Upstream == target.Upstream && other.Model == target.Model);
            candidates[i] = new Candidate(target, Of(target.Upstream), twins);
        }

        return new Pool(route, candidates, _routes.GetOrAdd(route.Name, static _ => new RouteState()), random ?? Random.Shared);
    }
}

/// <summary>What is known of a model as a whole; by name, so that it outlives a reload that keeps the model.</summary>
internal sealed class RouteState
{
    private FirstEventTimes? _streams;
    private FirstEventTimes? _answers;
    private int _mirrored;

    /// <summary>Attempts beyond a request's first.</summary>
    public SlidingBudget Extra { get; } = new();

    /// <summary>Where its conversations were last answered.</summary>
    public Homes Homes { get; } = new();

    /// <summary>Requests that may be sent to a second target because the first is slow.</summary>
    public HedgeBudget Hedges { get; } = new();

    /// <summary>Copies that are on their way to a mirror.</summary>
    public int Mirrored => Volatile.Read(ref _mirrored);

    /// <summary>How soon its answers begin; kept only for who asks, which are models with a hedge.</summary>
    /// <param name="streams">Of streams, or else of whole answers, which take much longer.</param>
    public FirstEventTimes Times(bool streams) => streams
        ? LazyInitializer.EnsureInitialized(ref _streams)
        : LazyInitializer.EnsureInitialized(ref _answers);

    /// <summary>Counts a copy, unless there are as many as may be.</summary>
    public bool TryBeginMirror(int most)
    {
        if (Interlocked.Increment(ref _mirrored) <= most)
        {
            return true;
        }

        Interlocked.Decrement(ref _mirrored);
        return false;
    }

    public void EndMirror() => Interlocked.Decrement(ref _mirrored);
}

/// <summary>A target and its live state.</summary>
/// <param name="target">As compiled.</param>
/// <param name="state">Its upstream's.</param>
/// <param name="twins">How often the same target is named before it.</param>
internal sealed class Candidate(Target target, UpstreamState state, int twins = 0)
{
    public Target Target { get; } = target;

    public UpstreamState State { get; } = state;

    public TargetLoad Load { get; } = state.LoadOf(target.Model);

    /// <summary>Of the upstream's name. The same in every process, so that replicas agree.</summary>
    public ulong Account { get; } = Fingerprint.Of(target.Upstream.Name);

    /// <summary>What it draws its lots with; likewise.</summary>
    public ulong Salt { get; } = Fingerprint.Join(Fingerprint.Of(target.Upstream.Name), Fingerprint.Of(target.Model) + (ulong)twins);
}
