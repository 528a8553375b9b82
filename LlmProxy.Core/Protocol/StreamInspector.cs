using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>What an event of an upstream's stream means for the client's.</summary>
internal enum StreamEventKind
{
    /// <summary>Nothing that a client could show yet: a role, no choices, a comment.</summary>
    Preamble,

    /// <summary>Output, or something unknown, which may be output.</summary>
    Output,

    /// <summary>The end that the API promises: a mark such as <c>[DONE]</c>, or its final event.</summary>
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
    // Some servers write usage into each event: what is kept of the last is copied over it.
    private const int LongestUsage = 4096;

    private byte[]? _rawUsage;
    private int _rawLength;
    private int _firstRaw;
    private Replacement _first;
    private Replacement _second;

    /// <summary>Output was seen that a client can use.</summary>
    public bool HasOutput { get; protected set; }

    /// <summary>Events that could not be read; they pass as they are.</summary>
    public int Malformed { get; protected set; }

    /// <summary>Finish reasons that the API does not list.</summary>
    public int UnknownFinishReasons { get; protected set; }

    public Usage Usage { get; protected set; } = Usage.None;

    /// <summary>The upstream's usage object as it wrote it; of an API that tells it in parts, each on a line. Empty if there was none.</summary>
    public ReadOnlyMemory<byte> RawUsage => _rawUsage.AsMemory(0, _rawLength);

    /// <summary>Bytes of text in the output so far, as JSON has it, without what stands around it.</summary>
    public long TextBytes { get; protected set; }

    /// <summary>The event inspected last came because we asked for it in the client's place: it is not for the client.</summary>
    public bool IsOurs { get; protected set; }

    /// <summary>How the upstream said it failed.</summary>
    public ProxyError? Failure { get; protected set; }

    /// <summary>The failure that the answer tells of itself in an end that makes it whole.</summary>
    public ProxyError? Reported { get; protected set; }

    /// <summary>The answer ended in a failure of the upstream before it had any output: no answer yet, while another may be asked.</summary>
    public ProxyError? EarlyFailure { get; protected set; }

    /// <summary>All that was promised has come: from here on it no longer matters how the upstream ends.</summary>
    public abstract bool IsFinished { get; }

    /// <summary>The end mark came: is the answer whole by what came before it?</summary>
    public abstract bool IsWholeAtDone { get; }

    /// <summary>
    /// The mark that ends every whole stream; where it is missing after all that was promised, it is ours to say. Empty where a
    /// stream ends in an event with content, which nobody but the upstream can write.
    /// </summary>
    public virtual ReadOnlySpan<byte> EndMark => default;

    /// <summary>What the client is sent into the upstream's silence, given the events so far.</summary>
    public virtual ReadOnlySpan<byte> Heartbeat => SseText.Heartbeat;

    /// <summary>The id under which the answer can be asked for again; null if none was seen.</summary>
    public string? StoredId { get; protected set; }

    /// <summary>How many <see cref="ReplacementAt"/> the event inspected last asks for.</summary>
    public int Replacements { get; private set; }

    /// <summary>In the order of the bytes.</summary>
    public Replacement ReplacementAt(int index) => index == 0 ? _first : _second;

    /// <summary>Looks at one event, <paramref name="raw"/> being all of its bytes.</summary>
    public abstract StreamEventKind Inspect(ReadOnlySpan<byte> raw, in SseEvent found);

    /// <summary>
    /// Looks at the next event without a search for its end, if it is output that goes out as it came, like the one before but for its token.
    /// </summary>
    /// <param name="bytes">Begin with an event, whole or not; see <see cref="SseScanner.IsBetweenEvents"/>.</param>
    /// <returns>Its length; 0 if it has to be found and inspected.</returns>
    public virtual int InspectLike(ReadOnlySpan<byte> bytes) => 0;

    /// <summary>Writes the event that tells a client that its stream is broken, as the one that follows the events so far.</summary>
    public abstract void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output);

    protected void ClearReplacements() => Replacements = 0;

    /// <summary>Keeps a usage object.</summary>
    /// <param name="json">All of it.</param>
    /// <param name="isMore">It adds to the first that was kept; else it takes its place.</param>
    protected void KeepUsage(ReadOnlySpan<byte> json, bool isMore = false)
    {
        var start = isMore && _firstRaw > 0 ? _firstRaw + 1 : 0;
        if (start + json.Length > LongestUsage)
        {
            return;
        }

        if (_rawUsage is null || _rawUsage.Length < start + json.Length)
        {
            Array.Resize(ref _rawUsage, start + json.Length + 64);
        }

        if (start > 0)
        {
            _rawUsage[start - 1] = (byte)'\n';
        }

        json.CopyTo(_rawUsage.AsSpan(start));
        _rawLength = start + json.Length;
        _firstRaw = isMore ? _firstRaw : json.Length;
    }

    /// <summary>The replacements were found in the event's joined data: they are moved to where that stands in its bytes.</summary>
    protected void MoveReplacements(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        var lines = found.LinesOf(raw);
        var offset = raw.Length - lines.Length;
        for (var i = 0; i < Replacements; i++)
        {
            ref var moved = ref i == 0 ? ref _first : ref _second;
            var range = SseText.FindJoined(lines, moved.Range);
            moved = moved with { Range = range with { Start = range.Start + offset } };
        }
    }

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
