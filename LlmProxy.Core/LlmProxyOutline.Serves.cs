using System.Text.Json;
using LlmProxy.Core.Endpoints;

namespace LlmProxy.Core;

/// <summary>What models can be asked for.</summary>
public sealed partial class LlmProxyOutline
{
    private readonly SortedDictionary<string, string[]> _serves = new(StringComparer.Ordinal);

    /// <summary>
    /// The operations that a model is served for, for example <c>chat</c> or <c>messages</c>: at least one of its targets serves it,
    /// whoever asks. Null if that is not known: there is no such model, or what was read does not say.
    /// </summary>
    /// <param name="model">One of <see cref="Models"/>, as it stands there.</param>
    public IReadOnlyList<string>? GetOperations(string model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return _serves.GetValueOrDefault(model);
    }

    private static string[] OperationsOf(LlmProxySnapshot snapshot, string model)
    {
        if (!snapshot.Routes.TryResolve(model, snapshot.Keys.Anonymous, out var match))
        {
            return [];
        }

        var served = Operations.None;
        foreach (var target in match.Route.Targets)
        {
            served |= target.Upstream.Operations;
        }

        return NamesOf(served);
    }

    private static string[] NamesOf(Operations operations) =>
        [.. EndpointTable.Rows.Where(row => !row.IsLocal && (row.Operation & operations) != 0).Select(static row => row.Name).Distinct()];

    private static void WriteOperations(Utf8JsonWriter json, string member, SortedDictionary<string, string[]> operations)
    {
        json.WriteStartObject(member);
        foreach (var (name, some) in operations)
        {
            json.WriteStartArray(name);
            Array.ForEach(some, json.WriteStringValue);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    // An instance of a version before these were told does not have them.
    private static void ReadOperations(JsonElement json, string member, SortedDictionary<string, string[]> operations)
    {
        if (json.TryGetProperty(member, out var told))
        {
            foreach (var one in told.EnumerateObject())
            {
                operations[one.Name] = [.. one.Value.EnumerateArray().Select(static item => item.GetString()!)];
            }
        }
    }
}
