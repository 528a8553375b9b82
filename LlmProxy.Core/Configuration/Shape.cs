using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// What a value may look like and how it is read. Shapes are put together to tables that describe the whole model as
/// data, so that reading, messages and a schema cannot disagree.
/// </summary>
internal abstract class Shape<T>
{
    /// <summary>What is expected, for messages: <c>a list</c>, <c>true or false</c>.</summary>
    public abstract string Expected { get; }

    /// <summary>Reads a value; if it cannot, all reasons are reported.</summary>
    public abstract bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out T value);

    /// <summary>Reports that another kind of value stands here. The value is not shown: it may be a secret in the wrong place.</summary>
    protected bool Mismatch(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        reading.Refuse(node, node.Kind == JsonValueKind.Null
            ? $"null is no value here: leave the member out, or write {Expected}."
            : $"needs {Expected}, not {node.DescribeKind()}.");
        return false;
    }
}

/// <summary>A shape that is written as one text, whatever it means.</summary>
internal abstract class TextualShape<T> : Shape<T>
{
    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out T value)
    {
        if (node.Kind != JsonValueKind.String)
        {
            return Mismatch(node, reading, out value);
        }

        value = default;
        if (!reading.TryFill(node, out var text, out var filled))
        {
            return false;
        }

        if (Understand(text, filled ? node.Text : text, out value) is not { } problem)
        {
            return true;
        }

        reading.Refuse(node, problem);
        return false;
    }

    /// <summary>Gives a text its meaning.</summary>
    /// <param name="text">The text, with references filled in.</param>
    /// <param name="shown">What a message may quote in its place.</param>
    /// <param name="value">The meaning.</param>
    /// <returns>Null, or what is wrong and what to write instead.</returns>
    protected abstract string? Understand(string text, string shown, out T value);
}
