using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>One member of an object: its name, and what happens to its value.</summary>
internal abstract class Member<TOwner>(string name)
{
    public string Name { get; } = name;

    /// <summary>False for names that are not for operators.</summary>
    public virtual bool IsOffered => true;

    public abstract void Read(ConfigurationNode node, TOwner owner, Reading reading);
}

/// <summary>A member that is read.</summary>
internal sealed class Member<TOwner, T>(string name, Shape<T> shape, Action<TOwner, T> set) : Member<TOwner>(name)
{
    public Shape<T> Shape => shape;

    public override void Read(ConfigurationNode node, TOwner owner, Reading reading)
    {
        if (shape.TryRead(node, reading, out var value))
        {
            set(owner, value);
        }
    }
}

/// <summary>A member for other programs, such as an editor.</summary>
internal sealed class IgnoredMember<TOwner>(string name) : Member<TOwner>(name)
{
    public override bool IsOffered => false;

    public override void Read(ConfigurationNode node, TOwner owner, Reading reading)
    {
        // Nothing is the meaning.
    }
}

/// <summary>An object with a table of members.</summary>
/// <param name="create">Makes what the members are set on.</param>
/// <param name="members">All members; any other is an error.</param>
internal sealed class ObjectShape<T>(Func<T> create, Member<T>[] members) : Shape<T>
{
    public IReadOnlyList<Member<T>> Members => members;

    /// <summary>True if objects of this shape are the entries of a map, so that the operator chose their names.</summary>
    public bool IsNamedByOperator { get; init; }

    public override string Expected => "an object { … }";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out T value)
    {
        // A section keeps nothing of an empty object.
        if (node.Kind != JsonValueKind.Object && (node.IsTyped || node.Kind is not (JsonValueKind.Null or JsonValueKind.Array)))
        {
            return Mismatch(node, reading, out value);
        }

        value = create();
        foreach (var (name, child) in node.Children)
        {
            if (Array.Find(members, m => m.Name == name) is { } member)
            {
                member.Read(child, value, reading);
            }
            else
            {
                RefuseUnknown(node, name, child, reading);
            }
        }

        return true;
    }

    private void RefuseUnknown(ConfigurationNode node, string name, ConfigurationNode child, Reading reading)
    {
        string[] offered = [.. members.Where(static m => m.IsOffered).Select(static m => m.Name)];
        var nearest = NearestName.Find(name, offered) ?? NearestName.Find(name, members.Select(static m => m.Name));
        if (nearest is not null)
        {
            // Whoever misses that member below does not have to say so.
            reading.Places.AddFailure(Places.Member(node.Path, nearest));
        }

        if (nearest is null && IsNamedByOperator && !node.IsTyped)
        {
            // Once per entry, however many members its name was taken for.
            if (!reading.Places.HasFailed(node.Path))
            {
                reading.Refuse(child, $"unknown member {Problems.Quote(name)}; or {SectionTree.UseFile(node.Path, name)}");
                reading.Places.AddFailure(node.Path);
            }

            return;
        }

        reading.Refuse(child, string.Equals(nearest, name, StringComparison.OrdinalIgnoreCase)
            ? $"unknown member {Problems.Quote(name)}: write {Problems.Quote(nearest!)}."
            : $"unknown member {Problems.Quote(name)}. {(nearest is null ? NearestName.Advise(name, offered) : $"Did you mean {Problems.Quote(nearest)}?")}");
    }
}
