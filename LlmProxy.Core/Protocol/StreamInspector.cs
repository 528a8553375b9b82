namespace LlmProxy.Core.Protocol;

/// <summary>What an event of an upstream's stream means for the client's.</summary>
internal enum StreamEventKind
{
    /// <summary>Nothing that a client could show yet: a role, no choices, a comment.</summary>
    Preamble,

    /// <summary>Output, or something unknown, which may be output.</summary>
    Output,

    /// <summary>The end that the API promises, for example <c>[DONE]</c>.</summary>
    Done,

    /// <summary>The upstream says that it failed; <see cref="StreamInspector.Failure"/> says how.</summary>
    Failure,
}

/// <summary>Bytes of an event that go out as others.</summary>
internal readonly record struct Replacement(SseRange Range, ReadOnlyMemory<byte> With);

/// <summary>
/// Watches the events of one answer and knows whether it may be called whole. One for each attempt; it reads bytes and
/// keeps values, it never holds on to a buffer.
/// </summary>
internal abstract class StreamInspector
{
    private Replacement _first;
    private Replacement _second;

    /// <summary>Output was seen that a client can use.</summary>
    public bool HasOutput { get; protected set; }

    /// <summary>Events that could not be read; they pass as they are.</summary>
    public int Malformed { get; protected set; }

    /// <summary>Finish reasons that the API does not list.</summary>
    public int UnknownFinishReasons { get; protected set; }

    public Usage Usage { get; protected set; } = Usage.None;

    /// <summary>How the upstream said it failed.</summary>
    public ProxyError? Failure { get; protected set; }

    /// <summary>All that was promised has come: from here on it no longer matters how the upstream ends.</summary>
    public abstract bool IsFinished { get; }

    /// <summary>The end mark came: is the answer whole by what came before it?</summary>
    public abstract bool IsWholeAtDone { get; }

    /// <summary>How many <see cref="ReplacementAt"/> the event inspected last asks for.</summary>
    public int Replacements { get; private set; }

    /// <summary>In the order of the bytes.</summary>
    public Replacement ReplacementAt(int index) => index == 0 ? _first : _second;

    /// <summary>Looks at one event, <paramref name="raw"/> being all of its bytes.</summary>
    public abstract StreamEventKind Inspect(ReadOnlySpan<byte> raw, in SseEvent found);

    protected void ClearReplacements() => Replacements = 0;

    protected void Replace(SseRange range, ReadOnlyMemory<byte> with)
    {
        var added = new Replacement(range, with);
        if (Replacements == 0)
        {
            _first = added;
        }
        else if (range.Start < _first.Range.Start)
        {
            _second = _first;
            _first = added;
        }
        else
        {
            _second = added;
        }

        Replacements = Math.Min(2, Replacements + 1);
    }
}
