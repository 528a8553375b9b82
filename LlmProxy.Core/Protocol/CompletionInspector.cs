using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>What is known beforehand of the stream that an inspector will see.</summary>
/// <param name="Choices">How many choices the request asked for (<c>n</c>), at least 1.</param>
/// <param name="RequireFinishReason"><c>[DONE]</c> without finish reasons is a broken stream.</param>
/// <param name="AskedModel">The model name to put into answers, as a JSON string with its quotes; empty to leave them alone.</param>
/// <param name="MapsFinishReasons">The upstream's kind has finish reasons of its own that clients cannot read.</param>
/// <param name="Redactor">Takes the upstream's secrets out of what it says of its errors.</param>
internal readonly record struct StreamExpectation(
    int Choices, bool RequireFinishReason, ReadOnlyMemory<byte> AskedModel, bool MapsFinishReasons, Redactor Redactor)
{
    /// <summary>Usage was asked for in the client's place: the chunk that brings it is not the client's.</summary>
    public bool TakesUsageOut { get; init; }
}

/// <summary>
/// Chat and legacy completions: whole when every choice that began, and as many as were asked for, has its finish reason,
/// or at <c>[DONE]</c> after some output.
/// </summary>
internal sealed class CompletionInspector(StreamExpectation expectation) : StreamInspector
{
    private ChoiceSet _began;
    private ChoiceSet _finished;
    private DeltaTemplate _template;

    public override bool IsFinished =>
        Failure is null && _finished.Count >= expectation.Choices && _finished.Covers(_began);

    public override bool IsWholeAtDone =>
        Failure is null && (IsFinished || (HasOutput && !expectation.RequireFinishReason));

    public override ReadOnlySpan<byte> EndMark => SseText.Done;

    public override StreamEventKind Inspect(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        ClearReplacements();
        IsOurs = false;
        if (!found.HasData)
        {
            return StreamEventKind.Preamble;
        }

        if (_template.Matches(raw, found, out _))
        {
            TextBytes += _template.TextLength;
            return StreamEventKind.Output;
        }

        if ((found.Lines & SseLines.MoreData) != 0)
        {
            return InspectJoined(raw, found);
        }

        return Read(found.Data.In(raw), raw, found, found.Data.Start);
    }

    public override int InspectLike(ReadOnlySpan<byte> bytes)
    {
        var length = _template.LengthOfNext(bytes, out _);
        if (length > 0)
        {
            ClearReplacements();
            IsOurs = false;
            TextBytes += _template.TextLength;
        }

        return length;
    }

    public override void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        OpenAIError.WriteOurs(error, message, output);
        output.Write("\n\n"u8);
    }

    private StreamEventKind InspectJoined(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        var joined = new ArrayBufferWriter<byte>(raw.Length);
        SseText.WriteJoinedData(found.LinesOf(raw), joined);
        var read = Read(joined.WrittenSpan, raw, found, 0);
        MoveReplacements(raw, found);
        return read;
    }

    private StreamEventKind Read(ReadOnlySpan<byte> data, ReadOnlySpan<byte> raw, in SseEvent found, int offset)
    {
        if (data.SequenceEqual("[DONE]"u8))
        {
            return StreamEventKind.Done;
        }

        var chunk = new CompletionChunk { Base = offset, Tier = Usage.Tier };
        var (began, finished) = (_began, _finished);
        try
        {
            chunk.Read(data, ref began, ref finished);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            Malformed++;
            return found.Name.In(raw).SequenceEqual("error"u8) ? Fail(data) : StreamEventKind.Output;
        }

        (_began, _finished) = (began, finished);
        if (chunk.HasError || chunk.HasFailureReason || found.Name.In(raw).SequenceEqual("error"u8))
        {
            return Fail(data);
        }

        UnknownFinishReasons += chunk.UnknownReasons;
        TextBytes += chunk.TextBytes;
        if (chunk.Usage.IsKnown)
        {
            Usage = chunk.Usage with { Tier = chunk.Usage.Tier ?? chunk.Tier };
            KeepUsage(chunk.RawUsage.In(data));
            IsOurs = expectation.TakesUsageOut && chunk.IsUsageAlone;
        }
        else if (!ReferenceEquals(chunk.Tier, Usage.Tier))
        {
            Usage = Usage with { Tier = chunk.Tier };
        }

        NoteReplacements(chunk);

        if (!chunk.IsOutput)
        {
            return chunk.IsUnknown ? StreamEventKind.Output : StreamEventKind.Preamble;
        }

        HasOutput |= chunk.HasContent;
        if (offset > 0 && chunk.IsOneDelta && Replacements == 0)
        {
            _template.Learn(raw, found, new DeltaValues(chunk.DeltaValue, Filler: chunk.Obfuscation));
        }

        return StreamEventKind.Output;
    }

    private void NoteReplacements(in CompletionChunk chunk)
    {
        if (!expectation.AskedModel.IsEmpty && chunk.Model.Length > 0)
        {
            Replace(chunk.Model, expectation.AskedModel);
        }

        if (expectation.MapsFinishReasons && chunk.ForeignReason.Length > 0)
        {
            Replace(chunk.ForeignReason, "\"stop\""u8.ToArray());
        }
    }

    private StreamEventKind Fail(ReadOnlySpan<byte> data)
    {
        Failure = ReportedFailure.InGoodStatus(data, expectation.Redactor);
        return StreamEventKind.Failure;
    }
}

/// <summary>A set of choice indexes. Those of 128 and above share one place: no API gives that many.</summary>
internal struct ChoiceSet
{
    private UInt128 _bits;

    public readonly int Count => (int)UInt128.PopCount(_bits);

    public void Add(int index) => _bits |= UInt128.One << Math.Clamp(index, 0, 127);

    public readonly bool Covers(ChoiceSet other) => (other._bits & ~_bits) == UInt128.Zero;
}
