using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>What configuration changes in a request's JSON, compiled: bytes ready to be put in.</summary>
/// <param name="Set">Values that replace or add a parameter: its name's index, and name and value as JSON.</param>
/// <param name="Default">Values for parameters that are absent.</param>
/// <param name="Remove">Parameters that go, by their names' indexes.</param>
internal sealed record RequestEdits(ParameterEdit[] Set, ParameterEdit[] Default, int[] Remove)
{
    public static RequestEdits None { get; } = new([], [], []);

    public bool IsEmpty => Set.Length == 0 && Default.Length == 0 && Remove.Length == 0;

    /// <summary>Do they say something of that parameter?</summary>
    public bool IsAbout(int name) => Array.Exists(Set, e => e.Name == name) || Array.Exists(Default, e => e.Name == name) || Array.IndexOf(Remove, name) >= 0;
}

/// <param name="Name">The index in the <see cref="FieldNames"/>.</param>
/// <param name="NameJson">The name as a JSON string, quotes and colon included.</param>
/// <param name="ValueJson">The value as JSON.</param>
internal readonly record struct ParameterEdit(int Name, byte[] NameJson, byte[] ValueJson);

/// <summary>A run of the original body, or bytes in its place.</summary>
internal readonly record struct BodyPart(long Start, long Length, ReadOnlyMemory<byte> Inserted)
{
    public long Size => Inserted.Length + Length;
}

/// <summary>Changes a body in one pass: every byte that no edit names goes upstream as it came.</summary>
internal static class RequestSplice
{
    [ThreadStatic]
    internal static Spares<BodyPart[]> Kept;

    private const int PlainParts = 3;

    private static readonly byte[] _true = "true"u8.ToArray();
    private static readonly byte[] _optionsName = "\"stream_options\":"u8.ToArray();
    private static readonly byte[] _askingOptions = "{\"include_usage\":true}"u8.ToArray();
    private static readonly byte[] _askFirst = "\"stream_options\":{\"include_usage\":true},"u8.ToArray();
    private static readonly byte[] _askAlone = "\"include_usage\":true"u8.ToArray();
    private static readonly byte[] _askBefore = "\"include_usage\":true,"u8.ToArray();

    /// <summary>Works out the parts of which the new body consists.</summary>
    /// <param name="fields">Where the original's members stand.</param>
    /// <param name="length">The original's length in bytes.</param>
    /// <param name="model">The model name to send, as a JSON string with its quotes.</param>
    /// <param name="edits">What configuration asks for.</param>
    /// <param name="error">A field to be changed is there twice, or ambiguously.</param>
    /// <param name="asksForUsage">Usage is asked for in the client's place, unless configuration says something of its own there.</param>
    public static BodyPart[]? TryPlan(
        RequestFields fields, long length, ReadOnlyMemory<byte> model, RequestEdits edits, out ProxyError? error, bool asksForUsage = false)
    {
        error = Check(fields, edits);
        if (error is not null)
        {
            return null;
        }

        if (edits.IsEmpty && fields.Find(FieldNames.Model) is { IsEscaped: false } only && (!asksForUsage || fields.Find(FieldNames.StreamOptions) is null))
        {
            return PlanPlain(fields.Opening, length, model, only, asksForUsage);
        }

        return Plan(fields, length, model, edits, asksForUsage);
    }

    // Apart, because what a lambda holds is allocated as soon as its method is entered.
    private static BodyPart[] Plan(RequestFields fields, long length, ReadOnlyMemory<byte> model, RequestEdits edits, bool asksForUsage)
    {
        var changes = new List<(long Start, long End, ReadOnlyMemory<byte> With)>(4);
        var added = new List<ParameterEdit>(0);
        if (fields.Find(FieldNames.Model) is { } field)
        {
            changes.Add(field.IsEscaped ? (field.NameStart, field.ValueEnd, WithPlainName(model)) : (field.ValueStart, field.ValueEnd, model));
        }
        else
        {
            // The request named it elsewhere.
            added.Add(new ParameterEdit(FieldNames.Model, "\"model\":"u8.ToArray(), model.ToArray()));
        }

        foreach (var edit in edits.Set)
        {
            if (fields.Find(edit.Name) is { } present)
            {
                changes.Add((present.ValueStart, present.ValueEnd, edit.ValueJson));
            }
            else
            {
                added.Add(edit);
            }
        }

        added.AddRange(edits.Default.Where(edit => fields.Find(edit.Name) is null));
        if (asksForUsage && !edits.IsAbout(FieldNames.StreamOptions))
        {
            AskForUsage(fields, changes, added);
        }

        var removed = PlanRemovals(fields, edits.Remove, changes);
        if (added.Count > 0)
        {
            changes.Add((fields.Opening, fields.Opening, Join(added, fields.MemberCount > removed)));
        }

        changes.Sort(static (a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.End.CompareTo(b.End));
        return Cut(changes, length);
    }

    /// <summary>Nobody needs these parts any more: what holds them serves the next.</summary>
    public static void GiveBack(BodyPart[] parts)
    {
        if (parts.Length == PlainParts)
        {
            Array.Clear(parts);
            Kept.Give(parts);
        }
    }

    /// <summary>What most requests ask for.</summary>
    private static BodyPart[] PlanPlain(long opening, long length, ReadOnlyMemory<byte> model, in RequestField field, bool asksForUsage)
    {
        if (asksForUsage)
        {
            return
            [
                new(0, opening, default), new(0, 0, _askFirst),
                new(opening, field.ValueStart - opening, default), new(0, 0, model), new(field.ValueEnd, length - field.ValueEnd, default),
            ];
        }

        var parts = Kept.Take() ?? new BodyPart[PlainParts];
        parts[0] = new(0, field.ValueStart, default);
        parts[1] = new(0, 0, model);
        parts[2] = new(field.ValueEnd, length - field.ValueEnd, default);
        return parts;
    }

    private static void AskForUsage(RequestFields fields, List<(long Start, long End, ReadOnlyMemory<byte> With)> changes, List<ParameterEdit> added)
    {
        if (fields.Find(FieldNames.StreamOptions) is not { } options)
        {
            added.Add(new ParameterEdit(FieldNames.StreamOptions, _optionsName, _askingOptions));
        }
        else if (options.Type != System.Text.Json.JsonTokenType.StartObject)
        {
            changes.Add((options.ValueStart, options.ValueEnd, _askingOptions));
        }
        else if (fields.UsageFlag is { Length: > 0 } flag)
        {
            changes.Add((options.ValueStart + flag.Start, options.ValueStart + flag.End, _true));
        }
        else
        {
            changes.Add((options.ValueStart + 1, options.ValueStart + 1, fields.HasNoStreamOptions ? _askAlone : _askBefore));
        }
    }

    // A name written with escapes is rewritten plainly, so that no two readers of it can differ.
    private static byte[] WithPlainName(ReadOnlyMemory<byte> model) => [.. "\"model\":"u8, .. model.Span];

    private static ProxyError? Check(RequestFields fields, RequestEdits edits)
    {
        foreach (var edit in edits.Set)
        {
            if (fields.CheckUnambiguous(edit.Name) is { } error)
            {
                return error;
            }
        }

        foreach (var edit in edits.Default)
        {
            if (fields.CheckUnambiguous(edit.Name) is { } error)
            {
                return error;
            }
        }

        foreach (var name in edits.Remove)
        {
            if (fields.CheckUnambiguous(name) is { } error)
            {
                return error;
            }
        }

        return null;
    }

    private static int PlanRemovals(RequestFields fields, int[] remove, List<(long Start, long End, ReadOnlyMemory<byte> With)> changes)
    {
        var removed = 0;
        var start = -1L;
        var end = -1L;
        foreach (ref readonly var field in fields.Fields)
        {
            if (Array.IndexOf(remove, field.Name) < 0)
            {
                continue;
            }

            removed++;
            if (end != field.NameStart)
            {
                Flush(changes, start, end);
                start = field.NameStart;
            }

            // A member goes with the comma behind it; at the end of the object, a run of members goes with the one before it.
            if (field.NextStart > 0)
            {
                end = field.NextStart;
            }
            else
            {
                end = field.ValueEnd;
                start = BeforeRun(fields, start);
            }
        }

        Flush(changes, start, end);
        return removed;
    }

    private static long BeforeRun(RequestFields fields, long start)
    {
        foreach (ref readonly var field in fields.Fields)
        {
            if (field.NameStart == start)
            {
                return field.PreviousEnd > 0 ? field.PreviousEnd : start;
            }
        }

        return start;
    }

    private static void Flush(List<(long Start, long End, ReadOnlyMemory<byte> With)> changes, long start, long end)
    {
        if (start >= 0)
        {
            changes.Add((start, end, default));
        }
    }

    private static ReadOnlyMemory<byte> Join(List<ParameterEdit> added, bool hasMore)
    {
        var output = new ArrayBufferWriter<byte>();
        for (var i = 0; i < added.Count; i++)
        {
            output.Write(added[i].NameJson);
            output.Write(added[i].ValueJson);
            if (hasMore || i + 1 < added.Count)
            {
                output.Write(","u8);
            }
        }

        return output.WrittenMemory;
    }

    private static BodyPart[] Cut(List<(long Start, long End, ReadOnlyMemory<byte> With)> changes, long length)
    {
        var parts = new List<BodyPart>((2 * changes.Count) + 1);
        long position = 0;
        foreach (var (start, end, with) in changes)
        {
            if (start > position)
            {
                parts.Add(new BodyPart(position, start - position, default));
            }

            if (!with.IsEmpty)
            {
                parts.Add(new BodyPart(0, 0, with));
            }

            position = Math.Max(position, end);
        }

        if (position < length)
        {
            parts.Add(new BodyPart(position, length - position, default));
        }

        return [.. parts];
    }
}
