using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Streams whose events say what they are, by name and by a <c>type</c> in their data, and which end in a final event.
/// </summary>
internal abstract class NamedEventInspector : StreamInspector
{
    private DeltaTemplate _template;

    /// <summary>The final event came.</summary>
    protected bool HasEnded { get; set; }

    public sealed override bool IsFinished => HasEnded && Failure is null;

    // Its own mark alone: a foreign "[DONE]" promises nothing here.
    public sealed override bool IsWholeAtDone => IsFinished;

    public sealed override StreamEventKind Inspect(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        ClearReplacements();
        if (!found.HasData)
        {
            return IsNamedError(raw, found) ? Fail(default) : StreamEventKind.Preamble;
        }

        if (_template.Matches(raw, found, out var number))
        {
            TextBytes += _template.TextLength;
            NoteNumber(number.In(raw));
            return StreamEventKind.Output;
        }

        if ((found.Lines & SseLines.MoreData) == 0)
        {
            var kind = Read(found.Data.In(raw), raw, found, found.Data.Start, out var delta);
            if (kind == StreamEventKind.Output && delta.Delta.Length > 0)
            {
                _template.Learn(raw, found, delta);
            }

            return kind;
        }

        var joined = new ArrayBufferWriter<byte>(raw.Length);
        SseText.WriteJoinedData(found.LinesOf(raw), joined);
        var read = Read(joined.WrittenSpan, raw, found, 0, out _);
        MoveReplacements(raw, found);
        return read;
    }

    public sealed override int InspectLike(ReadOnlySpan<byte> bytes)
    {
        var length = _template.LengthOfNext(bytes, out var number);
        if (length > 0)
        {
            ClearReplacements();
            TextBytes += _template.TextLength;
            NoteNumber(number.In(bytes));
        }

        return length;
    }

    /// <summary>Reads one event's data.</summary>
    /// <param name="data">JSON, or so it should be.</param>
    /// <param name="name">The event's name, for data that has no type.</param>
    /// <param name="offset">Where the data stands in what ranges are relative to.</param>
    /// <param name="delta">What changes from one such event to the next, if only that does.</param>
    /// <exception cref="JsonException">It is not JSON.</exception>
    protected abstract StreamEventKind ReadEvent(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name, int offset, out DeltaValues delta);

    /// <summary>The error for what the upstream says of its failure.</summary>
    protected abstract ProxyError ToError(ReadOnlySpan<byte> data);

    /// <summary>The running number of an event that was not read; empty if its like had none.</summary>
    protected virtual void NoteNumber(ReadOnlySpan<byte> digits)
    {
    }

    protected StreamEventKind Fail(ReadOnlySpan<byte> data)
    {
        Failure = ToError(data);
        return StreamEventKind.Failure;
    }

    private static bool IsNamedError(ReadOnlySpan<byte> raw, in SseEvent found) => found.Name.In(raw).SequenceEqual("error"u8);

    private StreamEventKind Read(ReadOnlySpan<byte> data, ReadOnlySpan<byte> raw, in SseEvent found, int offset, out DeltaValues delta)
    {
        delta = default;
        if (data.SequenceEqual("[DONE]"u8))
        {
            return StreamEventKind.Done;
        }

        if (IsNamedError(raw, found))
        {
            return Fail(data);
        }

        try
        {
            var kind = ReadEvent(data, found.Name.In(raw), offset, out delta);
            HasOutput |= kind == StreamEventKind.Output;
            return kind;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            Malformed++;
            return StreamEventKind.Output;
        }
    }
}
