namespace LlmProxy.Core.Configuration;

/// <summary>One pass over a tree of nodes: where problems go and how references are filled in.</summary>
internal sealed class Reading(Problems problems, References references)
{
    public Places Places => problems.Places;

    /// <summary>The value cannot be used.</summary>
    public void Refuse(ConfigurationNode node, string message) => problems.Unreadable(node.Path, node.Line, message);

    /// <summary>The value can be used, and should not be written so.</summary>
    public void Warn(ConfigurationNode node, string message) => problems.Doubtful(node.Path, node.Line, message);

    /// <summary>A text with its references filled in; false, and reported, if one leads nowhere.</summary>
    public bool TryFill(ConfigurationNode node, out string text, out bool filled)
    {
        if (references.Resolve(node.Text, out text, out filled) is { } problem)
        {
            Refuse(node, problem);
            return false;
        }

        if (filled)
        {
            Places.AddReference(node.Path, node.Text);
        }

        return true;
    }
}
