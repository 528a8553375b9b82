using System.Text.Json;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core;

/// <summary>
/// What a configuration offers and to whom, without addresses and secrets: by this two configurations are compared, one of
/// which may be a running instance's.
/// </summary>
public sealed partial class LlmProxyOutline
{
    private const string Anyone = "callers without a key";

    private readonly SortedDictionary<string, string[]> _models = new(StringComparer.Ordinal);
    private readonly List<(string[] Callers, string[] Models)> _access = [];
    private readonly Dictionary<string, string> _hashes = new(StringComparer.Ordinal);

    private LlmProxyOutline(IReadOnlyList<string> upstreams) => Upstreams = upstreams;

    /// <summary>Names of the upstreams.</summary>
    public IReadOnlyList<string> Upstreams { get; }

    /// <summary>Models, aliases and patterns.</summary>
    public IEnumerable<string> Models => _models.Keys;

    /// <summary>Outlines a configuration.</summary>
    /// <param name="options">Validated.</param>
    public static LlmProxyOutline Of(LlmProxyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Of(new LlmProxySnapshot(options));
    }

    /// <summary>Reads what <see cref="WriteTo"/> has written.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static LlmProxyOutline Read(JsonElement json)
    {
        try
        {
            var outline = new LlmProxyOutline(Texts(json.GetProperty("upstreams")));
            foreach (var model in json.GetProperty("models").EnumerateObject())
            {
                outline._models[model.Name] = Texts(model.Value);
            }

            foreach (var access in json.GetProperty("access").EnumerateArray())
            {
                outline._access.Add((Texts(access.GetProperty("callers")), Texts(access.GetProperty("models"))));
            }

            outline.ReadAllowances(json);
            ReadOperations(json, "serves", outline._serves);
            return outline;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new JsonException("This is no outline of a configuration.", e);
        }

        static string[] Texts(JsonElement list) => [.. list.EnumerateArray().Select(static item => item.GetString()!)];
    }

    /// <summary>Writes it as members of the object that is being written: <c>upstreams</c>, <c>models</c>, <c>access</c>, <c>operations</c>, <c>limits</c>, <c>serves</c>.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        Write("upstreams", Upstreams);
        json.WriteStartObject("models"u8);
        foreach (var (name, targets) in _models)
        {
            Write(name, targets);
        }

        json.WriteEndObject();
        json.WriteStartArray("access"u8);
        foreach (var (callers, models) in _access)
        {
            json.WriteStartObject();
            Write("callers", callers);
            Write("models", models);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteAllowances(json);
        WriteOperations(json, "serves", _serves);

        void Write(string name, IEnumerable<string> texts)
        {
            json.WriteStartArray(name);
            foreach (var text in texts)
            {
                json.WriteStringValue(text);
            }

            json.WriteEndArray();
        }
    }

    /// <summary>What callers would notice if another configuration took this one's place, models first, in the order of their names.</summary>
    /// <param name="next">The other one, validated.</param>
    public IReadOnlyList<LlmProxyChange> ChangesTo(LlmProxyOptions next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return ChangesTo(new LlmProxySnapshot(next));
    }

    internal static LlmProxyOutline Of(LlmProxySnapshot snapshot)
    {
        var outline = new LlmProxyOutline([.. snapshot.Routes.Upstreams.Select(static u => u.Name)]);
        foreach (var name in snapshot.Routes.Names)
        {
            outline._models[name] = TargetsOf(snapshot, name);
            outline._serves[name] = OperationsOf(snapshot, name);
        }

        // Most keys are alike, so that what they may use is worked out once for all of them.
        var classes = CallersOf(snapshot).GroupBy(c => string.Join('\0', snapshot.Routes.Names.Where(name => MayUse(snapshot, name, c.Value))));
        foreach (var alike in classes)
        {
            outline._access.Add(([.. alike.Select(static c => c.Key)], alike.Key.Split('\0', StringSplitOptions.RemoveEmptyEntries)));
        }

        outline.AddAllowances(snapshot, CallersOf(snapshot));
        foreach (var (name, key) in snapshot.Options.Keys)
        {
            outline._hashes[KeyName(name)] = key.Hash ?? ApiKeys.Hash(key.Key!);
        }

        return outline;
    }

    internal IReadOnlyList<LlmProxyChange> ChangesTo(LlmProxySnapshot next)
    {
        var after = Of(next);
        var callers = CallersOf(next).ToDictionary(StringComparer.Ordinal);
        var losers = Losers(next, callers);
        var changes = new List<LlmProxyChange>();
        foreach (var name in _models.Keys.Union(after._models.Keys).Order(StringComparer.Ordinal))
        {
            if (ModelChange(name, next, after, losers.GetValueOrDefault(name)) is { } change)
            {
                changes.Add(change);
            }
        }

        var before = _access.SelectMany(static a => a.Callers).Order(StringComparer.Ordinal).ToList();
        changes.AddRange(before.Where(c => !callers.ContainsKey(c)).Select(static c => new LlmProxyChange(LlmProxyChangeKind.Removed, c, "would get 401", true)));
        changes.AddRange(callers.Keys.Except(before).Order(StringComparer.Ordinal).Select(static c => new LlmProxyChange(LlmProxyChangeKind.Added, c, "", false)));
        changes.AddRange(
            from c in before
            where _hashes.TryGetValue(c, out var old) && after._hashes.TryGetValue(c, out var now) && old != now
            select new LlmProxyChange(LlmProxyChangeKind.Changed, c, "another secret; the one before would get 401", true));
        changes.AddRange(AllowanceChangesTo(after));
        return changes;
    }

    private LlmProxyChange? ModelChange(string name, LlmProxySnapshot next, LlmProxyOutline after, List<string>? losers)
    {
        if (!_models.TryGetValue(name, out var before))
        {
            return new LlmProxyChange(LlmProxyChangeKind.Added, name, "to " + string.Join(", ", after._models[name]), false);
        }

        var targets = TargetsOf(next, name);
        if (targets.Length == 0 || losers is not null)
        {
            return new LlmProxyChange(
                LlmProxyChangeKind.Removed, name, losers is null ? "gone" : $"{Few(losers)} would get 404", losers is not null);
        }

        return targets.SequenceEqual(before) ? null : new LlmProxyChange(
            LlmProxyChangeKind.Changed,
            name,
            targets[0] == before[0] ? $"targets {string.Join(", ", before)} → {string.Join(", ", targets)}" : $"first target {before[0]} → {targets[0]}",
            false);
    }

    /// <summary>Who loses what, by model. Callers that are gone altogether are told once, as such.</summary>
    private Dictionary<string, List<string>> Losers(LlmProxySnapshot next, Dictionary<string, Caller> callers)
    {
        var losers = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var (names, models) in _access)
        {
            foreach (var (name, caller) in names.Where(callers.ContainsKey).Select(n => (n, callers[n])))
            {
                foreach (var model in models.Where(m => !MayUse(next, m, caller)))
                {
                    (losers.TryGetValue(model, out var list) ? list : losers[model] = []).Add(name);
                }
            }
        }

        return losers;
    }

    /// <summary>The list allows it, and a target is left that the caller's tags do not forbid.</summary>
    private static bool MayUse(LlmProxySnapshot snapshot, string model, Caller caller) =>
        snapshot.Routes.TryResolve(model, caller, out var match) && match.Route.IsOpenTo(caller.UpstreamTags);

    private static string[] TargetsOf(LlmProxySnapshot snapshot, string model) =>
        snapshot.Routes.TryResolve(model, snapshot.Keys.Anonymous, out var match)
            ? [.. match.Route.Targets.Select(static t => $"{t.Upstream.Name}/{t.Model}")]
            : [];

    private static IEnumerable<KeyValuePair<string, Caller>> CallersOf(LlmProxySnapshot snapshot)
    {
        foreach (var caller in snapshot.Keys.Callers.Where(static c => c.Refusal is null).OrderBy(static c => c.Id, StringComparer.Ordinal))
        {
            yield return new(KeyName(caller.Id), caller);
        }

        if (snapshot.Options.HostIdentity is not null)
        {
            foreach (var group in snapshot.Options.Groups.Keys.Order(StringComparer.Ordinal))
            {
                yield return new("users of group " + group, snapshot.Keys.ForUser("", group));
            }
        }

        if (snapshot.Options.AllowAnonymous)
        {
            yield return new(Anyone, snapshot.Keys.Anonymous);
        }
    }

    private static string KeyName(string id) => "key " + id;

    private static string Few(List<string> callers)
    {
        const int Most = 5;
        return callers.Count <= Most ? string.Join(", ", callers) : $"{string.Join(", ", callers.Take(Most))} and {callers.Count - Most} more";
    }
}
