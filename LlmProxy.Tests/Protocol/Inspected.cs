using System.Reflection;
using System.Text;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Tests.Protocol;

/// <summary>A stream run through an inspector, and what it decided.</summary>
internal sealed class Inspected
{
    private static readonly FieldInfo _template = typeof(CompletionInspector).GetField("_template", BindingFlags.NonPublic | BindingFlags.Instance)!;

    private readonly List<StreamEventKind> _kinds = [];
    private readonly StringBuilder _passed = new();

    private Inspected(CompletionInspector inspector) => Inspector = inspector;

    public CompletionInspector Inspector { get; }

    public IReadOnlyList<StreamEventKind> Kinds => _kinds;

    /// <summary>The stream with its replacements made, up to the end mark or a failure.</summary>
    public string Passed => _passed.ToString();

    /// <summary>One letter for each event: preamble, output, done, failure.</summary>
    public string Letters => string.Concat(_kinds.Select(k => "podf"[(int)k]));

    public static StreamExpectation Expectation(int choices = 1, bool requireFinish = false, string? asked = null, bool maps = false) =>
        new(choices, requireFinish, asked is null ? default : Encoding.UTF8.GetBytes($"\"{asked}\""), maps, new Redactor("secret-of-upstream"));

    public static Inspected Run(string stream) => Run(stream, Expectation());

    public static Inspected Run(string stream, StreamExpectation expectation)
    {
        var inspected = new Inspected(new CompletionInspector(expectation));
        foreach (var (raw, found) in SseReading.Events(Encoding.UTF8.GetBytes(stream)))
        {
            inspected.Take(raw, found);
        }

        return inspected;
    }

    /// <summary>Looks at an event having forgotten the template of those before: every byte is read as JSON.</summary>
    public static StreamEventKind InspectInFull(CompletionInspector inspector, byte[] raw, in SseEvent found)
    {
        _template.SetValue(inspector, default(DeltaTemplate));
        return inspector.Inspect(raw, found);
    }

    /// <summary>All that anybody can ask of an inspector, as text.</summary>
    public static string StateOf(CompletionInspector inspector)
    {
        var state = new StringBuilder()
            .Append(inspector.IsFinished).Append(' ').Append(inspector.IsWholeAtDone).Append(' ').Append(inspector.HasOutput).Append(' ')
            .Append(inspector.Malformed).Append(' ').Append(inspector.UnknownFinishReasons).Append(' ').Append(inspector.Usage).Append(' ')
            .Append(inspector.Failure?.Code).Append(' ').Append(inspector.Failure?.Message);
        for (var i = 0; i < inspector.Replacements; i++)
        {
            var replacement = inspector.ReplacementAt(i);
            state.Append(' ').Append(replacement.Range).Append(Encoding.UTF8.GetString(replacement.With.Span));
        }

        return state.ToString();
    }

    private void Take(byte[] raw, in SseEvent found)
    {
        var kind = Inspector.Inspect(raw, found);
        _kinds.Add(kind);
        if (kind >= StreamEventKind.Done)
        {
            return;
        }

        var position = 0;
        for (var i = 0; i < Inspector.Replacements; i++)
        {
            var replacement = Inspector.ReplacementAt(i);
            _passed.Append(Encoding.UTF8.GetString(raw.AsSpan(position..replacement.Range.Start)));
            _passed.Append(Encoding.UTF8.GetString(replacement.With.Span));
            position = replacement.Range.End;
        }

        _passed.Append(Encoding.UTF8.GetString(raw.AsSpan(position)));
    }
}
