using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>The two endings of a stream.</summary>
internal sealed partial class EventRelay
{
    // Written, not flushed: it goes out with the end of the response, once the exchange is complete.
    private async ValueTask PassEndAsync(SseEvent found)
    {
        if (found.MustBeCut && !_inspector.EndMark.IsEmpty)
        {
            PassRestOfLineEnd();
            client.Write(_inspector.EndMark);
            return;
        }

        if (MustChange(found) && _inspector.EndMark.IsEmpty)
        {
            await PassChangedAsync(found, isEnd: true);
        }
        else
        {
            client.Write(_pending.Span[..found.Length]);
        }

        // The event is complete at its CR. In a stream of CRLFs the LF may still be on its way, and nobody will read it.
        if (_pending.Span[..found.Length].EndsWith("\r\n\r"u8))
        {
            client.Write("\n"u8);
        }
    }

    // An event is complete at the CR of a CRLF; what we write behind it must not stand between the two.
    private void PassRestOfLineEnd()
    {
        if (_pending.Span is [(byte)'\n', ..])
        {
            client.Write("\n"u8);
        }
    }

    private async ValueTask<RelayOutcome> EndAsync(ProxyError? error)
    {
        // All that was promised has come: the upstream may end as it likes, unless the client is the one who left.
        var isMissing = error is not null && _inspector.IsFinished && !_inspector.EndMark.IsEmpty && _fault is null && error.Status != 499;
        var outcome = new RelayOutcome
        {
            Error = isMissing ? null : error,
            Usage = _inspector.Usage.IsKnown || _answer?.KnownUsage is not { IsKnown: true } known ? _inspector.Usage : known,
            RawUsage = _inspector.RawUsage.IsEmpty ? _answer?.KnownRawUsage ?? default : _inspector.RawUsage,
            TextBytes = _inspector.TextBytes,
            Events = _events,
            LastEvent = _lastEvent,
            MissingDone = isMissing,
            Fault = _fault,
            Reported = _inspector.Reported,
            DoneWithoutFinish = error is null && !_inspector.IsFinished,
        };
        try
        {
            if (outcome.Error is null)
            {
                return await EndWholeAsync(outcome);
            }

            if (outcome.Error.Status == 499)
            {
                client.Abort();
                return outcome with { Bytes = client.Bytes };
            }

            return await EndBrokenAsync(outcome, outcome.Error);
        }
        finally
        {
            _pending.Release();
        }
    }

    private async ValueTask<RelayOutcome> EndWholeAsync(RelayOutcome outcome)
    {
        if (outcome.MissingDone)
        {
            PassRestOfLineEnd();
            client.Write(_inspector.EndMark);
        }

        outcome = outcome with { Bytes = client.Bytes };
        plan.Books.Complete(outcome);
        return outcome with { Error = await client.EndAsync() };
    }

    private async ValueTask<RelayOutcome> EndBrokenAsync(RelayOutcome outcome, ProxyError error)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>(512);
        PassRestOfLineEnd();
        _inspector.WriteErrorEvent(error, ErrorText.Compose(error, plan.Contact), plan.RequestId, output);
        client.Write(output.WrittenSpan);
        outcome = outcome with { Bytes = client.Bytes };
        plan.Books.Complete(outcome);
        await client.BreakAsync(time);
        return outcome;
    }
}
