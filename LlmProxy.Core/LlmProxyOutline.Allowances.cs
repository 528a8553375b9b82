using System.Globalization;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core;

/// <summary>How much callers and groups may use, and which operations.</summary>
public sealed partial class LlmProxyOutline
{
    // By caller or group, then by member: what is not limited is not there.
    private readonly SortedDictionary<string, SortedDictionary<string, decimal>> _limits = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string[]> _operations = new(StringComparer.Ordinal);

    private void AddAllowances(LlmProxySnapshot snapshot, IEnumerable<KeyValuePair<string, Caller>> callers)
    {
        foreach (var (name, caller) in callers)
        {
            AddLimits(name, caller.Own);
            _operations[name] = NamesOf(caller.Operations);
        }

        foreach (var (name, group) in snapshot.Options.Groups)
        {
            AddLimits("group " + name, group);
            if (group.EndUser is { } users)
            {
                AddLimits("each end user of group " + name, users);
            }
        }
    }

    private void AddLimits(string subject, AllowanceOptions allowance)
    {
        var limits = new SortedDictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var (member, limit) in (ReadOnlySpan<(string, decimal?)>)
            [
                ("RequestsPerMinute", allowance.RequestsPerMinute), ("TokensPerMinute", allowance.TokensPerMinute), ("Concurrent", allowance.Concurrent),
                ("Budget.Day", allowance.Budget?.Day), ("Budget.Month", allowance.Budget?.Month), ("Budget.Total", allowance.Budget?.Total),
            ])
        {
            if (limit is { } amount)
            {
                limits[member] = amount;
            }
        }

        _limits[subject] = limits;
    }

    private void WriteAllowances(Utf8JsonWriter json)
    {
        WriteOperations(json, "operations", _operations);
        json.WriteStartObject("limits"u8);
        foreach (var (name, limits) in _limits)
        {
            json.WriteStartObject(name);
            foreach (var (member, limit) in limits)
            {
                json.WriteNumber(member, limit);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    // An instance of a version before these were told does not have them.
    private void ReadAllowances(JsonElement json)
    {
        ReadOperations(json, "operations", _operations);
        if (json.TryGetProperty("limits", out var limits))
        {
            foreach (var one in limits.EnumerateObject())
            {
                _limits[one.Name] = new(one.Value.EnumerateObject().ToDictionary(static l => l.Name, static l => l.Value.GetDecimal()), StringComparer.Ordinal);
            }
        }
    }

    /// <summary>What changes for those who are there before and after; those for whom the same changes are told together.</summary>
    private IEnumerable<LlmProxyChange> AllowanceChangesTo(LlmProxyOutline after)
    {
        var lost =
            from one in _operations
            where after._operations.ContainsKey(one.Key)
            let gone = one.Value.Except(after._operations[one.Key]).ToList()
            where gone.Count > 0
            group one.Key by string.Join(", ", gone);
        foreach (var alike in lost)
        {
            yield return new LlmProxyChange(LlmProxyChangeKind.Removed, Few([.. alike]), $"would get 403 for {alike.Key}", true);
        }

        var moved =
            from one in _limits
            where after._limits.ContainsKey(one.Key)
            let change = Compare(one.Value, after._limits[one.Key])
            where change.Text.Length > 0
            group one.Key by change;
        foreach (var alike in moved)
        {
            yield return new LlmProxyChange(LlmProxyChangeKind.Changed, Few([.. alike]), alike.Key.Text, alike.Key.IsLess);
        }
    }

    private static (string Text, bool IsLess) Compare(SortedDictionary<string, decimal> before, SortedDictionary<string, decimal> after)
    {
        var texts = new List<string>();
        var isLess = false;
        foreach (var member in before.Keys.Union(after.Keys).Order(StringComparer.Ordinal))
        {
            var (old, now) = (Limit(before, member), Limit(after, member));
            if (old != now)
            {
                texts.Add(string.Create(CultureInfo.InvariantCulture, $"{member} {Shown(old)} → {Shown(now)}"));
                isLess |= now is not null && (old is null || now < old);
            }
        }

        return (string.Join(", ", texts), isLess);

        static decimal? Limit(SortedDictionary<string, decimal> limits, string member) => limits.TryGetValue(member, out var limit) ? limit : null;

        static string Shown(decimal? limit) => limit?.ToString("0.####", CultureInfo.InvariantCulture) ?? "no limit";
    }
}
