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

    private void WriteServes(Utf8JsonWriter json)
    {
        json.WriteStartObject("serves"u8);
        foreach (var (model, operations) in _serves)
        {
            json.WriteStartArray(model);
            foreach (var operation in operations)
            {
                json.WriteStringValue(operation);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private void ReadServes(JsonElement json)
    {
        if (json.TryGetProperty("serves", out var serves))
        {
            foreach (var model in serves.EnumerateObject())
            {
                _serves[model.Name] = [.. model.Value.EnumerateArray().Select(static operation => operation.GetString()!)];
            }
        }
    }
}
