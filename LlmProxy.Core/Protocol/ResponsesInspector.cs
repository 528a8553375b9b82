using System.Buffers;
using System.Buffers.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// OpenAI's Responses. Held: <c>response.created</c>, <c>.in_progress</c>, <c>.queued</c>. Whole at <c>response.completed</c>,
/// <c>.incomplete</c> or <c>.failed</c>.
/// </summary>
internal sealed class ResponsesInspector(StreamExpectation expectation) : NamedEventInspector
{
    private long _sequence = -1;
    private byte[]? _response;
    private byte[]? _heartbeat;

    // Once there is output a repeated response would take it back: some clients (openai-node's stream()) put the response of
    // this event in the place of all that they have gathered.
    public override ReadOnlySpan<byte> Heartbeat => _response is null || HasOutput
        ? base.Heartbeat
        : _heartbeat ??= ResponseOutline.InProgress(_response, _sequence);

    public override void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output) =>
        ResponseOutline.WriteFailed(_response, _sequence + 1, error, message, requestId, output);

    protected override ProxyError ToError(ReadOnlySpan<byte> data) =>
        ReportedFailure.ToError(data, Dialect.Responses.OverloadedStatus, expectation.Redactor);

    protected override void NoteNumber(ReadOnlySpan<byte> digits)
    {
        if (Utf8Parser.TryParse(digits, out long number, out _))
        {
            NoteSequence(number);
        }
    }

    protected override StreamEventKind ReadEvent(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name, int offset, out DeltaValues delta)
    {
        var read = new ResponsesEvent { Base = offset };
        read.Read(data, name);
        delta = read.Delta;
        if (read.HasError || read.Kind == ResponsesEvent.Kinds.Error)
        {
            return Fail(data);
        }

        TextBytes += read.TextBytes;
        if (read.Sequence >= 0)
        {
            NoteSequence(read.Sequence);
        }

        if (read.Response.Length > 0)
        {
            NoteResponse(data, read, offset);
        }

        switch (read.Kind)
        {
            case ResponsesEvent.Kinds.Begun:
                return StreamEventKind.Preamble;
            case ResponsesEvent.Kinds.Ended:
                HasEnded = true;
                return StreamEventKind.Done;
            case ResponsesEvent.Kinds.Failed:
                HasEnded = true;
                NoteFailure(read.ResponseError.In(data));
                return StreamEventKind.Done;
            default:
                return StreamEventKind.Output;
        }
    }

    private void NoteSequence(long number)
    {
        _sequence = number;
        _heartbeat = null;
    }

    private void NoteResponse(ReadOnlySpan<byte> data, in ResponsesEvent read, int offset)
    {
        StoredId ??= StoredIds.Read(read.Id.In(data));
        if (read.Usage.IsKnown)
        {
            Usage = read.Usage with { Tier = read.Usage.Tier ?? read.Tier };
            KeepUsage(read.RawUsage.In(data));
        }

        var response = read.Response.In(data);
        if (read.Kind == ResponsesEvent.Kinds.Begun && !response.Contains((byte)'\n'))
        {
            _response = ResponseOutline.Of(response, expectation.AskedModel.Span);
            _heartbeat = null;
        }

        if (!expectation.AskedModel.IsEmpty && read.Model.Length > 0)
        {
            Replace(read.Model, expectation.AskedModel);
        }

        if (read.ResponseError is { Length: > 0 } error && UpstreamMessage.TryRedactValue(error.In(data), expectation.Redactor) is { } clean)
        {
            Replace(error with { Start = offset + error.Start }, clean);
        }
    }

    // Another upstream may do better where this one or its operator is at fault, or the request is too long for it; what else the
    // request is at fault for, its client is told as it came.
    private void NoteFailure(ReadOnlySpan<byte> error)
    {
        var overloaded = Dialect.Responses.OverloadedStatus;
        Reported = ReportedFailure.ToError(error, overloaded, expectation.Redactor);
        var mayDoBetter = Reported.Cause == FailureCause.TooLong || ReportedFailure.StatusOf(error, overloaded) is (401 or >= 429);
        EarlyFailure = !HasOutput && mayDoBetter ? Reported : null;
    }
}
