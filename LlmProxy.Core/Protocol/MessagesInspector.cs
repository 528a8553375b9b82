using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Anthropic's Messages. Held: <c>message_start</c>, <c>ping</c>, blocks of text and thinking that begin empty. Whole at
/// <c>message_stop</c>, if there was a message.
/// </summary>
internal sealed class MessagesInspector(StreamExpectation expectation) : NamedEventInspector
{
    private UsageReader _usage = new();
    private bool _hasBegun;

    public override void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        output.Write("event: error\ndata: "u8);
        Dialect.Messages.WriteError(error, message, requestId, output);
        output.Write("\n\n"u8);
    }

    protected override ProxyError ToError(ReadOnlySpan<byte> data) =>
        ReportedFailure.ToError(data, Dialect.Messages.OverloadedStatus, expectation.Redactor);

    protected override StreamEventKind ReadEvent(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name, int offset, out DeltaValues delta)
    {
        delta = default;
        var read = new MessagesEvent { Base = offset };
        var usage = _usage;
        read.Read(data, name, ref usage);
        _usage = usage;
        TextBytes += read.TextBytes;
        if (read.RawUsage.Length > 0)
        {
            KeepUsage(read.RawUsage.In(data), isMore: read.Kind != MessagesEvent.Kinds.MessageStart);
        }

        if (read.HasError || read.Kind == MessagesEvent.Kinds.Error)
        {
            return Fail(data);
        }

        switch (read.Kind)
        {
            case MessagesEvent.Kinds.MessageStart:
                Begin(read);
                return StreamEventKind.Preamble;
            case MessagesEvent.Kinds.Ping or MessagesEvent.Kinds.BlockStop:
                return StreamEventKind.Preamble;
            case MessagesEvent.Kinds.BlockStart:
                return read.HasContent || read.IsOtherBlock ? StreamEventKind.Output : StreamEventKind.Preamble;
            case MessagesEvent.Kinds.BlockDelta:
                delta = new DeltaValues(read.Delta);
                return read.HasContent ? StreamEventKind.Output : StreamEventKind.Preamble;
            case MessagesEvent.Kinds.MessageDelta:
                Usage = _usage.SoFar;
                return StreamEventKind.Output;
            case MessagesEvent.Kinds.MessageStop:
                HasEnded = _hasBegun || HasOutput;
                return StreamEventKind.Done;
            default:
                return StreamEventKind.Output;
        }
    }

    private void Begin(in MessagesEvent read)
    {
        _hasBegun = true;

        // The output told here is what the first token will be counted as: not yet what was relayed.
        _usage.LeaveOutputOpen();
        Usage = _usage.SoFar;
        if (!expectation.AskedModel.IsEmpty && read.Model.Length > 0)
        {
            Replace(read.Model, expectation.AskedModel);
        }
    }
}
