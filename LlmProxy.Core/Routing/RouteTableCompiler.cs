using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>Options in, <see cref="RouteTable"/> out.</summary>
internal static class RouteTableCompiler
{
    /// <param name="options">Validated.</param>
    /// <param name="generation">Counts the configurations of this process, from 1.</param>
    /// <param name="before">Upstreams of the generation before: one whose options are the same goes on as the same object, and all that is known of it with it.</param>
    public static RouteTable Compile(LlmProxyOptions options, long generation = 1, IReadOnlyList<Upstream>? before = null)
    {
        var fields = new FieldNames(options.Models.Values.SelectMany(m => m.Set.Keys.Concat(m.Default.Keys).Concat(m.Remove)));
        var upstreams = options.Upstreams.ToDictionary(
            e => e.Key,
            e => before?.FirstOrDefault(u => u.Name == e.Key && UpstreamEquality.Same(u.Options, e.Value))
                ?? new Upstream(e.Key, e.Value, EndpointTable.Rows, generation),
            StringComparer.Ordinal);
        var byName = new Dictionary<string, Route>(StringComparer.Ordinal);
        var patterns = new List<Route>();
        foreach (var (name, model) in options.Models)
        {
            var route = new Route(
                name,
                [.. model.Targets.Select(t => new Target(upstreams[t.Upstream], t.Model))],
                CompileEdits(model, fields),
                [.. model.Headers],
                model.ResponseModel == ResponseModelName.Asked);
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

        return new RouteTable(byName, patterns, [.. upstreams.Values], fields);
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
