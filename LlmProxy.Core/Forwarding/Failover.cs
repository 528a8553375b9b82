using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One request's attempts, one after another: whom to ask next, and when to stop. Everything before the commit may fail over;
/// the caller's own fault never does.
/// </summary>
internal sealed class Failover(AttemptSeries series)
{
    private readonly Selection _selection = series.Selection;
    private HedgedCall? _hedge;
    private int _shortestWaitMs = int.MaxValue;

    public async ValueTask<Result<UpstreamAnswer>> RunAsync()
    {
        if (_selection.Count > 1)
        {
            _selection.State.Extra.Count(series.Now);
        }

        if (HedgedCall.Suits(series.Request, _selection))
        {
            _selection.State.Hedges.Count(_selection.Route.Hedge!.BudgetPercent);
            _hedge = new HedgedCall(series, _selection.Route.Hedge, AskAsync);
        }

        if (First(out var standing) is not { } candidate)
        {
            return _selection.Nobody();
        }

        while (true)
        {
            var hadSent = series.HasSent;
            var asked = candidate;
            var result = _hedge is { IsSpent: false } ? Take(await _hedge.RunAsync(candidate, standing), out candidate) : await AskAsync(candidate, standing, null);
            if (result.Error is not { } error)
            {
                return result;
            }

            if (error.RetryAfterMs > 0)
            {
                _shortestWaitMs = Math.Min(_shortestWaitMs, error.RetryAfterMs);
            }

            if (hadSent && error.Cause == FailureCause.NotSent && asked == candidate)
            {
                series.GiveExtraBack();
            }

            if (series.Clock.Reason != CutOff.None || error.Cause == FailureCause.None || Follow(candidate, error, out standing) is not { } next)
            {
                // With several targets the client is told of the one that is back first.
                return error.RetryAfterMs > _shortestWaitMs ? error with { RetryAfterMs = _shortestWaitMs } : error;
            }

            series.Note(new AttemptNote(AttemptStage.FailedOver, candidate.Target, error, 0));
            candidate = next;
        }
    }

    private Candidate? First(out Standing standing)
    {
        if (_selection.Next(out standing) is { } candidate)
        {
            return candidate;
        }

        standing = Standing.Forced;
        return _selection.Forced();
    }

    /// <summary>The next to ask; null if the budget is spent or nobody is left.</summary>
    private Candidate? Follow(Candidate failed, ProxyError error, out Standing standing)
    {
        standing = Standing.Ready;
        if (!series.TryTakeExtra())
        {
            return null;
        }

        var next = error.Cause == FailureCause.TooLong ? _selection.NextLarger(failed.Target) : _selection.Next(out standing);
        if (next is null)
        {
            series.GiveExtraBack();
        }

        return next;
    }

    private static Result<UpstreamAnswer> Take((Result<UpstreamAnswer> Result, Candidate Asked) outcome, out Candidate asked)
    {
        asked = outcome.Asked;
        return outcome.Result;
    }

    private async ValueTask<Result<UpstreamAnswer>> AskAsync(Candidate candidate, Standing standing, Racer? racer)
    {
        var request = series.Request;
        List<BodyPart>? parts = [];
        if (!request.Endpoint.IsBodyless)
        {
            parts = RequestSplice.TryPlan(
                request.Fields, request.Body.Length, candidate.Target.ModelJsonFor(_selection.Star), request.Route.Route.Edits, out var refused);
            if (parts is null)
            {
                return refused!;
            }
        }

        if (!candidate.State.Places.TryEnter() && await WaitForPlaceAsync(candidate, racer) is { } full)
        {
            return full;
        }

        var call = new TargetCall(series, candidate, parts, racer);
        var breaker = candidate.State.Breaker;
        if (standing == Standing.Forced)
        {
            await breaker.RunOpenAsync(static call => call.RunAsync(), call);
        }
        else if (!await breaker.RunAsync(static call => call.RunAsync(), call))
        {
            // It opened, or another request became its probe, since this one was led here.
            candidate.State.Places.Exit();
            return ProxyErrors.NoHealthyUpstream(RetryAfterMs);
        }

        return call.Result;
    }

    private const int RetryAfterMs = 1000;

    private async ValueTask<ProxyError?> WaitForPlaceAsync(Candidate candidate, Racer? racer)
    {
        using var own = racer is null ? null : CancellationTokenSource.CreateLinkedTokenSource(series.Clock.Token);
        racer?.Wait(own);
        try
        {
            return await candidate.State.Places.EnterAsync(_selection.Caller.Id, own?.Token ?? series.Clock.Token) ? null : ProxyErrors.Saturated;
        }
        catch (OperationCanceledException)
        {
            return racer is { HasLost: true } ? ProxyErrors.Superseded : Faults.OfCutOff(series.Clock.Reason) ?? ProxyErrors.ClientGone;
        }
        finally
        {
            racer?.Wait(null);
        }
    }
}
