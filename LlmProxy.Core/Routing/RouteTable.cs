using System.Collections.Frozen;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>Model name to route: the front door of the fourth stage. Immutable; a reload swaps it whole.</summary>
internal sealed class RouteTable
{
    private readonly FrozenDictionary<string, Route> _byName;
    private readonly FrozenDictionary<string, Route> _byPrefix;
    private readonly int[] _prefixLengths;
    private readonly (string Name, Route Route)[] _listed;

    /// <param name="byName">Exact names and aliases.</param>
    /// <param name="patterns">Names with a star.</param>
    /// <param name="upstreams">All that are configured.</param>
    /// <param name="fields">Parameters that requests are scanned for.</param>
    public RouteTable(IReadOnlyDictionary<string, Route> byName, IEnumerable<Route> patterns, IReadOnlyList<Upstream> upstreams, FieldNames fields)
    {
        _byName = byName.ToFrozenDictionary(StringComparer.Ordinal);
        _byPrefix = patterns.ToFrozenDictionary(p => p.Name[..^1], StringComparer.Ordinal);

        // The longest pattern that fits is the one that was meant.
        _prefixLengths = [.. _byPrefix.Keys.Select(p => p.Length).Distinct().OrderDescending()];
        _listed = [.. byName.Select(e => (e.Key, e.Value)).OrderBy(e => e.Key, StringComparer.Ordinal)];
        Upstreams = upstreams;
        Fields = fields;
    }

    public IReadOnlyList<Upstream> Upstreams { get; }

    public FieldNames Fields { get; }

    /// <summary>What models cost that do not say so themselves; null: nothing is known of it.</summary>
    public PriceList? Prices { get; init; }

    /// <summary>What a request cost, by what its row in the ledger says of it.</summary>
    /// <param name="name">Of the model or pattern.</param>
    /// <param name="upstream">Who answered.</param>
    /// <param name="model">The model's name there.</param>
    public Price? PriceOf(string name, string upstream, string model)
    {
        if (_byName.TryGetValue(name, out var route) || (name.EndsWith('*') && _byPrefix.TryGetValue(name[..^1], out route)))
        {
            foreach (var target in route.Targets)
            {
                if (target.OwnPrice is { } own && target.Upstream.Name == upstream && target.MayBeCalled(model))
                {
                    return own;
                }
            }
        }

        return Prices?.Find(upstream, model);
    }

    /// <summary>The names a caller may use, in order; patterns are not listed, nobody knows what they hold.</summary>
    public IEnumerable<string> NamesFor(Caller caller) =>
        _listed.Where(e => caller.Allows(e.Route.Name) && e.Route.IsOpenTo(caller.UpstreamTags)).Select(e => e.Name);

    /// <summary>Every name that leads somewhere: models, aliases, patterns.</summary>
    public IEnumerable<string> Names => _listed.Select(e => e.Name).Concat(_byPrefix.Values.Select(p => p.Name).Order(StringComparer.Ordinal));

    /// <summary>The same as <see cref="Resolve"/> without a word on why not. A pattern stands for any name that it holds.</summary>
    public bool TryResolve(string model, Caller caller, out RouteMatch match) => TryFind(model, out match) && caller.Allows(match.Resolved);

    /// <summary>Finds the route of a model that this caller may use.</summary>
    /// <param name="model">As the client wrote it.</param>
    /// <param name="caller">Whose models it may be.</param>
    /// <param name="reveals">A model of others is called forbidden rather than unknown.</param>
    public Result<RouteMatch> Resolve(string model, Caller caller, bool reveals)
    {
        if (!TryFind(model, out var match) || !CanBeNamed(match))
        {
            return ProxyErrors.ModelNotFound(DisplayText.Name(model), Nearest(model, caller));
        }

        if (caller.Allows(match.Resolved))
        {
            return match;
        }

        return Forbidden(model, caller, reveals);
    }

    /// <summary>What a caller is told of a model that is for others.</summary>
    public ProxyError Forbidden(string model, Caller caller, bool reveals) => reveals
        ? ProxyErrors.ModelNotAllowed(DisplayText.Name(model), Nearest(model, caller))
        : ProxyErrors.ModelNotFound(DisplayText.Name(model), Nearest(model, caller));

    /// <summary>Finds the route to the upstream that keeps a stored response.</summary>
    /// <param name="id">Of the response.</param>
    /// <param name="origin">Where it was made; null if nobody remembers. Then only one upstream can have made it, or it is not found.</param>
    /// <param name="operation">What the upstream must serve.</param>
    /// <param name="caller">Whose response it is.</param>
    public Result<RouteMatch> ResolveStored(string id, StoredOrigin? origin, Operations operation, Caller caller)
    {
        if (origin is not null)
        {
            return TryFind(origin.Model, out var made) && caller.Allows(made.Resolved)
                ? made with { Keeper = origin.Upstream }
                : ProxyErrors.ResponseNotFound(DisplayText.Name(id));
        }

        RouteMatch? only = null;
        foreach (var route in _byName.Values.Concat(_byPrefix.Values).Where(route => caller.Allows(route.Name)))
        {
            foreach (var target in route.Targets.Where(target => (target.Upstream.Operations & operation) != 0))
            {
                if (only is { } other && other.Keeper != target.Upstream.Name)
                {
                    return ProxyErrors.ResponseNotFound(DisplayText.Name(id));
                }

                // Nobody asked for a model here, so there is none to put back.
                only ??= new RouteMatch(route, "", route.Name, 0) { Keeper = target.Upstream.Name };
            }
        }

        return only is { } found ? found : ProxyErrors.ResponseNotFound(DisplayText.Name(id));
    }

    /// <summary>A model of this caller that serves an operation which another does not.</summary>
    public string? OtherFor(Operations operation, Caller caller) =>
        _listed.FirstOrDefault(e => caller.Allows(e.Route.Name)
            && e.Route.Targets.Any(t => (t.Upstream.Operations & operation) != 0 && t.Upstream.Carries(caller.UpstreamTags))).Name;

    private bool TryFind(string model, out RouteMatch match)
    {
        if (_byName.TryGetValue(model, out var route))
        {
            match = new RouteMatch(route, model, route.Name, model.Length);
            return true;
        }

        // By length rather than pattern by pattern: there may be a thousand of these, and of lengths a few dozen.
        var prefixes = _byPrefix.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var length in _prefixLengths)
        {
            if (length <= model.Length && prefixes.TryGetValue(model.AsSpan(0, length), out var pattern))
            {
                match = new RouteMatch(pattern, model, model, length);
                return true;
            }
        }

        match = default;
        return false;
    }

    private static bool CanBeNamed(in RouteMatch match)
    {
        foreach (var target in match.Route.Targets)
        {
            if (target.CanBeNamed(match.Star))
            {
                return true;
            }
        }

        return false;
    }

    private string? Nearest(string model, Caller caller) => NearestName.Closest(model, NamesFor(caller));
}
