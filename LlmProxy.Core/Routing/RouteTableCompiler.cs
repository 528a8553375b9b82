using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>Options in, <see cref="RouteTable"/> out.</summary>
internal static class RouteTableCompiler
{
    // Only an answer that is meant to be always the same may be shared.
    private static readonly string[] _decidesOnSharing = [Route.Temperature];

    /// <param name="options">Validated.</param>
    /// <param name="generation">Counts the configurations of this process, from 1.</param>
    /// <param name="before">Upstreams of the generation before: one whose options are the same goes on as the same object, and all that is known of it with it.</param>
    public static RouteTable Compile(LlmProxyOptions options, long generation = 1, IReadOnlyList<Upstream>? before = null)
    {
        string[] headers = [.. options.Models.Values.SelectMany(m => m.Headers.Values)];
        var upstreams = options.Upstreams.ToDictionary(
            e => e.Key,
            e => before?.FirstOrDefault(u => u.Name == e.Key && u.IsStill(e.Value))?.WithHeaders(headers)
                ?? new Upstream(e.Key, e.Value, EndpointTable.Rows, headers, generation),
            StringComparer.Ordinal);
        var fields = new FieldNames(
            options.Models.Values.SelectMany(m => m.Set.Keys.Concat(m.Default.Keys).Concat(m.Remove).Concat(m.Coalesce ? _decidesOnSharing : [])),
            IdentityFor(options, upstreams));
        var prices = new PriceList(options);
        var byName = new Dictionary<string, Route>(StringComparer.Ordinal);
        var patterns = new List<Route>();
        foreach (var (name, model) in options.Models)
        {
            var balance = BalanceOf(model);
            var route = new Route(
                name,
                [.. model.Targets.Select((t, place) => CompileTarget(t, model, upstreams, prices, balance == TargetBalance.InOrder ? place : 0)).OrderBy(t => t.Priority)],
                CompileEdits(model, fields),
                [.. model.Headers],
                model.ResponseModel == ResponseModelName.Asked)
            {
                Balance = balance,
                Sticky = CompileSticky(model.Sticky),
                Hedge = model.Hedge,
                Mirror = model.Mirror is { } mirror ? new Mirror(CompileTarget(mirror.Target, model, upstreams, prices, 0), mirror.Percent) : null,
                Coalesces = model.Coalesce,
                Failover = options.Failover,
            };
            if (route.IsPattern)
            {
                patterns.Add(route);
            }
            else
            {
                byName.Add(name, route);
            }

            foreach (var alias in model.Aliases)
            {
                byName.Add(alias, route);
            }
        }

        return new RouteTable(byName, patterns, [.. upstreams.Values], fields) { Prices = prices };
    }

    /// <summary>The configured name that an alias stands for.</summary>
    public static Func<string, string> AliasResolver(LlmProxyOptions options)
    {
        var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, model) in options.Models)
        {
            foreach (var alias in model.Aliases)
            {
                aliases.TryAdd(alias, name);
            }
        }

        return name => aliases.GetValueOrDefault(name, name);
    }

    // Whoever writes a weight or a priority wants them to count, and only a weighted choice can be made to last.
    private static TargetBalance BalanceOf(ModelOptions model) => model.Balance
        ?? (model.Sticky is not null || model.Targets.Any(t => t.Weight is not null || t.Priority is not null) ? TargetBalance.Weighted : TargetBalance.InOrder);

    // What no model needs is not looked for in anybody's request.
    private static IdentityParts IdentityFor(LlmProxyOptions options, Dictionary<string, Upstream> upstreams)
    {
        var parts = IdentityParts.None;
        foreach (var model in options.Models.Values.Where(m => m.Targets.Count > 1))
        {
            parts |= model.Sticky == "User" ? IdentityParts.User : IdentityParts.None;
            parts |= model.Balance == TargetBalance.Affinity ? IdentityParts.Prompt : IdentityParts.None;
            var keepers = model.Targets.Select(t => t.Upstream).Distinct(StringComparer.Ordinal).Count(u => (upstreams[u].Operations & Operations.Responses) != 0);
            parts |= keepers > 1 ? IdentityParts.Conversation : IdentityParts.None;
        }

        return parts;
    }

    private static Target CompileTarget(TargetOptions target, ModelOptions model, Dictionary<string, Upstream> upstreams, PriceList prices, int place)
    {
        var upstream = upstreams[target.Upstream];
        var hasStar = target.Price is null && target.Model.Contains('*', StringComparison.Ordinal);
        var own = target.Price is { } price ? new Price(price) : null;
        return new Target(upstream, target.Model, Override(upstream.Timeouts, model.Timeouts))
        {
            Weight = target.Weight ?? 1,
            Priority = target.Priority ?? place,
            Context = target.Context ?? model.Context ?? 0,
            OwnPrice = own,
            Price = own ?? (hasStar ? null : prices.Find(upstream.Name, target.Model)),
            PricesByStar = hasStar && !prices.IsEmpty ? new TargetPrice(name => prices.Find(upstream.Name, name)) : null,
        };
    }

    private static TimeoutOptions Override(TimeoutOptions upstream, ModelTimeoutOptions model) => new()
    {
        Connect = upstream.Connect,
        FirstEvent = model.FirstEvent ?? upstream.FirstEvent,
        Idle = model.Idle ?? upstream.Idle,
        Response = model.Response ?? upstream.Response,
        Total = model.Total ?? upstream.Total,
        Heartbeat = model.Heartbeat ?? upstream.Heartbeat,
        StalledReader = upstream.StalledReader,
    };

    private static Stickiness? CompileSticky(string? sticky) => sticky switch
    {
        null => null,
        "Key" => new Stickiness(StickyBy.Key, ""),
        "User" => new Stickiness(StickyBy.User, ""),
        _ => new Stickiness(StickyBy.Header, sticky["Header:".Length..]),
    };

    private static RequestEdits CompileEdits(ModelOptions model, FieldNames fields)
    {
        if (model.Set.Count + model.Default.Count + model.Remove.Count == 0)
        {
            return RequestEdits.None;
        }

        return new RequestEdits(Compile(model.Set, fields), Compile(model.Default, fields), [.. model.Remove.Select(fields.IndexOf)]);
    }

    private static ParameterEdit[] Compile(IDictionary<string, JsonElement> parameters, FieldNames fields) =>
    [
        .. parameters.Select(p => new ParameterEdit(
            fields.IndexOf(p.Key),
            [.. Target.Encode(p.Key), (byte)':'],
            Encoding.UTF8.GetBytes(p.Value.GetRawText()))),
    ];
}
