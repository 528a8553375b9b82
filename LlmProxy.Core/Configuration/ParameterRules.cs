using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>Rules of the JSON parameters that a model sets, presets or removes.</summary>
internal static class ParameterRules
{
    private const int LongestName = 100;

    // Routing, the kind of the answer, and what the caller actually asks: a request without them is another request.
    private static readonly string[] OfTheRequest = ["model", "stream", "messages", "prompt", "input"];

    public static void Check(string path, ModelOptions model, Problems problems)
    {
        // Case does not count: some upstreams take "Temperature" for "temperature".
        var seen = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        CheckValues(Places.Member(path, "Set"), "Set", model.Set, seen, problems);
        CheckValues(Places.Member(path, "Default"), "Default", model.Default, seen, problems);
        for (var i = 0; i < model.Remove.Count; i++)
        {
            CheckName(Places.Item(Places.Member(path, "Remove"), i), "Remove", model.Remove[i], seen, problems);
        }
    }

    private static void CheckValues(string path, string list, IDictionary<string, JsonElement> values, Dictionary<string, string> seen, Problems problems)
    {
        foreach (var (name, value) in values)
        {
            var at = Places.Member(path, name);
            CheckName(at, list, name, seen, problems);
            if (value.ValueKind == JsonValueKind.Undefined)
            {
                problems.Error(at, "has no value.");
            }
        }
    }

    private static void CheckName(string path, string list, string name, Dictionary<string, string> seen, Problems problems)
    {
        if (name.Length is 0 or > LongestName || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            problems.Error(path, $"the name of a parameter has 1 to {LongestName} letters (a to z), digits, \"_\", \"-\" and \".\".");
        }
        else if (OfTheRequest.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            problems.Error(path, $"{Problems.Value} is the caller's and cannot be changed here.", name);
        }
        else if (!seen.TryAdd(name, list))
        {
            problems.Error(path, seen[name] == list
                ? $"the parameter {Problems.Value} stands twice in {list}."
                : $"the parameter {Problems.Value} stands in {seen[name]} as well as in {list}: only one can hold.", name);
        }
    }
}
