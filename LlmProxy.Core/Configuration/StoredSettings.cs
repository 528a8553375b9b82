using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// Settings of keys and groups that are kept elsewhere than in a configuration: read by the same tables and as strictly, but for
/// references, which lead to this machine's secrets.
/// </summary>
internal static class StoredSettings
{
    /// <summary>Reads a key's settings as they are stored; what they name may be gone by now.</summary>
    public static bool TryReadKey(string json, out KeyOptions? settings, out IReadOnlyList<ConfigurationProblem> problems) =>
        TryRead(json, CallerTable.StoredKey, static (_, _) => { }, out settings, out problems);

    /// <summary>Reads a group's settings as they are stored; what they name may be gone by now.</summary>
    public static bool TryReadGroup(string json, out GroupOptions? settings, out IReadOnlyList<ConfigurationProblem> problems) =>
        TryRead(json, CallerTable.Group, static (_, _) => { }, out settings, out problems);

    /// <summary>Reads and checks settings of a key that somebody wants to have stored.</summary>
    public static bool TryCheckKey(
        string json, LlmProxyOptions options, IEnumerable<string> storedGroups, out KeyOptions? settings, out IReadOnlyList<ConfigurationProblem> problems) =>
        TryRead(
            json, CallerTable.StoredKey,
            (key, found) => CallerRules.CheckKey("", key, new CallerScope(options, found.Places, storedGroups), found),
            out settings, out problems);

    /// <summary>Reads and checks settings of a group that somebody wants to have stored.</summary>
    public static bool TryCheckGroup(string json, LlmProxyOptions options, out GroupOptions? settings, out IReadOnlyList<ConfigurationProblem> problems) =>
        TryRead(
            json, CallerTable.Group,
            (group, found) => CallerRules.CheckGroup("", group, new CallerScope(options, found.Places), found),
            out settings, out problems);

    /// <summary>A JSON object on one line and without some of its members.</summary>
    /// <param name="json">Read without problems.</param>
    /// <param name="without">Names of members at the top.</param>
    /// <param name="write">Adds members; null: none.</param>
    public static string Rewrite(string json, ReadOnlySpan<string> without, Action<Utf8JsonWriter>? write = null)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
        var output = new ArrayBufferWriter<byte>(json.Length + 64);
        using (var writer = new Utf8JsonWriter(output))
        {
            writer.WriteStartObject();
            write?.Invoke(writer);
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (!without.Contains(member.Name))
                {
                    member.WriteTo(writer);
                }
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static bool TryRead<T>(string json, ObjectShape<T> shape, Action<T, Problems> check, out T? settings, out IReadOnlyList<ConfigurationProblem> found)
        where T : class
    {
        var problems = new Problems();
        settings = null;
        if (FileTree.Parse(Encoding.UTF8.GetBytes(json), problems) is { } root && shape.TryRead(root, new Reading(problems, References.None), out settings))
        {
            check(settings, problems);
        }

        found = problems.InOrder;
        return settings is not null && !problems.HasErrors;
    }
}
