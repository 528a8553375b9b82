using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>A list.</summary>
/// <param name="item">Its items.</param>
/// <param name="substitute">Stands for an item that could not be read, so that the others keep their index for what is said about them.</param>
internal sealed class ListShape<T>(Shape<T> item, Func<T> substitute) : Shape<IReadOnlyList<T>>
{
    public Shape<T> ItemShape => item;

    public override string Expected => "a list [ … ]";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out IReadOnlyList<T> value)
    {
        // A section keeps nothing of an empty list but an empty text.
        if (node.Kind != JsonValueKind.Array && (node.IsTyped || node is not { Kind: JsonValueKind.String, Text: "" }))
        {
            return Mismatch(node, reading, out value);
        }

        var items = new List<T>(node.Children.Count);
        foreach (var (_, child) in node.Children)
        {
            items.Add(item.TryRead(child, reading, out var read) ? read : substitute());
        }

        value = items;
        return true;
    }
}

/// <summary>An object whose member names the operator chooses.</summary>
/// <param name="entry">The members' values.</param>
/// <param name="substitute">Stands for a value that could not be read, so that its name is known to whatever refers to it. Null: it is left out.</param>
/// <param name="names">Tells names apart. Null: exactly.</param>
internal sealed class MapShape<T>(Shape<T> entry, Func<T>? substitute = null, StringComparer? names = null) : Shape<IReadOnlyList<KeyValuePair<string, T>>>
{
    public Shape<T> EntryShape => entry;

    public override string Expected => "an object { … }";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out IReadOnlyList<KeyValuePair<string, T>> value)
    {
        // A section takes an object whose members are called 0, 1, … for a list, and keeps nothing of an empty one.
        if (node.Kind != JsonValueKind.Object && (node.IsTyped || node.Kind is not (JsonValueKind.Array or JsonValueKind.Null)))
        {
            return Mismatch(node, reading, out value);
        }

        var entries = new List<KeyValuePair<string, T>>(node.Children.Count);
        var seen = new HashSet<string>(names ?? StringComparer.Ordinal);
        foreach (var (name, child) in node.Children)
        {
            if (!seen.Add(name))
            {
                reading.Refuse(child, $"{Problems.Quote(name)} stands here twice: upper and lower case are the same.");
            }
            else if (entry.TryRead(child, reading, out var read))
            {
                entries.Add(new(name, read));
            }
            else if (substitute is not null)
            {
                entries.Add(new(name, substitute()));
            }
        }

        value = entries;
        return true;
    }
}
