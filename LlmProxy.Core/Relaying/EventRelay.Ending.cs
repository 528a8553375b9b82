using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>The two endings of a stream.</summary>
internal sealed partial class EventRelay
{
    // Written, not flushed: it goes out with the end of the response, once the exchange is complete.
    private async ValueTask PassEndAsync(SseEvent found)
    {
        if (!_inspector.EndMark.IsEmpty)
        {
            client.Write(found.MustBeCut ? _inspector.EndMark : _pending.Span[..found.Length]);
        }
        else if (MustChange(found))
        {
            await PassChangedAsync(found);
        }
        else
        {
            client.Write(_pending.Span[..found.Length]);
        }
    }

    private async ValueTask<RelayOutcome> EndAsync(ProxyError? error)
    {
        // All that was promised has come: the upstream may end as it likes, unless the client is the one who left.
        var isMissing = error is not null && _inspector.IsFinished && !_inspector.EndMark.IsEmpty && error.Blame != Blame.Client;
        var outcome = new RelayOutcome
        {
            Error = isMissing ? null : error,
            Usage = _inspector.Usage.IsKnown ? _inspector.Usage : _known,
            Events = _events,
            LastEvent = _lastEvent,
            MissingDone = isMissing,
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
            client.Write(_inspector.EndMark);
        }

        outcome = outcome with { Bytes = client.Bytes };
        plan.Complete(outcome);
        await client.EndAsync();
        return outcome;
    }

    private async ValueTask<RelayOutcome> EndBrokenAsync(RelayOutcome outcome, ProxyError error)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>(512);
        _inspector.WriteErrorEvent(error, ErrorText.Compose(error, plan.Contact), plan.RequestId, output);
        client.Write(output.WrittenSpan);
        outcome = outcome with { Bytes = client.Bytes };
        plan.Complete(outcome);
        await client.BreakAsync(time);
        return outcome;
    }
}
