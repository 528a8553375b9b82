using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// Turns a section of the app's configuration into nodes. What the section has lost (types, lines, the difference of an
/// object and a list, names that hold a colon) stays lost; whoever reads the nodes refuses where that matters.
/// </summary>
internal static class SectionTree
{
    public static ConfigurationNode Parse(IConfigurationSection section, Problems problems) => Read(section, "", problems);

    private static ConfigurationNode Read(IConfigurationSection section, string path, Problems problems)
    {
        var children = section.GetChildren().ToList();
        if (children.Count == 0)
        {
            return section.Value is { } text
                ? ConfigurationNode.Scalar(JsonValueKind.String, path, 0, text, typed: false)
                : ConfigurationNode.Scalar(JsonValueKind.Null, path, 0, "null", typed: false);
        }

        if (section.Value is not null and not "")
        {
            problems.Unreadable(path, 0, $"has a value and members as well: two sources of the app's configuration disagree, or {UseFile(path, children[0].Key)}");
        }

        var isList = children.Select(static (child, i) => child.Key == i.ToString(CultureInfo.InvariantCulture)).All(static same => same);
        var nodes = new List<(string, ConfigurationNode)>(children.Count);
        foreach (var child in children)
        {
            var childPath = isList ? Places.Item(path, nodes.Count) : Places.Member(path, child.Key);
            nodes.Add((child.Key, Read(child, childPath, problems)));
        }

        return isList
            ? ConfigurationNode.List(path, 0, nodes, typed: false)
            : ConfigurationNode.Object(path, 0, nodes, typed: false);
    }

    /// <summary>What to do about a name that the app's configuration has taken apart at its colon.</summary>
    public static string UseFile(string path, string member) =>
        $"the name is {Problems.Quote(Places.LastName(path) + ":" + member)}: the app's configuration takes names apart at \":\". " +
        "Write such names in a file of their own, read by AddLlmProxy(\"llmproxy.json\").";
}
