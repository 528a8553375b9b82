using System.Diagnostics.CodeAnalysis;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One request's attempts, one after another: whom to ask next, and when to stop. Everything before the commit may fail over;
/// the caller's own fault never does.
/// </summary>
internal sealed class Failover(AttemptSeries series)
{
    // It was led to a target that went out, or became another request's probe, before it got there.
    private static readonly ProxyError _turnedAway = ProxyErrors.NoHealthyUpstream(0);

    private HedgedCall? _hedge;
    private ProxyError? _told;
    private int _toldContext;
    private int _shortestWaitMs = int.MaxValue;
    private bool _mayWait = true;

    /// <summary>Asks until somebody commits, nobody is left, or another would do no better. By then the request's body is needed no more.</summary>
    public static ValueTask<Result<UpstreamAnswer>> RunAsync(AttemptSeries series)
    {
        var now = series.Now;
        series.Selection.State.Extra.Count(now);
        var candidate = series.Selection.Next(now, out var standing);

        // What a single target says is the outcome, and nothing here waits for that: each method that waits costs every request.
        if (candidate is not null && series.Selection.Count == 1 && TryPlan(series, candidate, out var parts, out _) && candidate.State.Places.TryEnter())
        {
            if (Pass(series, candidate, standing, parts, racer: null) is { } only)
            {
                return only.RunAsync();
            }

            candidate.State.Places.Exit();
        }

        var failover = new Failover(series);
        return failover.RunAsync(candidate ?? failover.Next(out standing), standing);
    }

    private async ValueTask<Result<UpstreamAnswer>> RunAsync(Candidate? candidate, Standing standing)
    {
        _hedge = series.Selection.Route.Hedge is null ? null : HedgedCall.TryMake(series, AskAsync, Leave);
        while (candidate is not null)
        {
            var result = _hedge is { IsSpent: false } ? Take(await _hedge.RunAsync(candidate, standing), out candidate) : await AskAsync(candidate, standing, null);
            if (result.Error is not { } error)
            {
                series.Request.Body.End();
                return result;
            }

            if (ReferenceEquals(error, _turnedAway))
            {
                // Now it is seen to be out; if everybody is, it may still be the one that is tried all the same.
                series.Selection.Return(candidate);
                candidate = Next(out standing);
                continue;
            }

            Note(candidate, error);
            if (series.Clock.Reason != CutOff.None || error.Cause == FailureCause.None)
            {
                return End(error);
            }

            var next = Follow(error, out standing);
            if (next is not null)
            {
                series.Note(new AttemptNote(AttemptStage.FailedOver, candidate.Target, error, 0));
            }

            candidate = next;
        }

        return End(_told is { } told ? Tell(told) : series.Selection.Nobody());
    }

    private ProxyError End(ProxyError error)
    {
        series.Request.Body.End();
        return error;
    }

    /// <summary>The next to ask; if nobody was asked yet and all are out, the one that is tried all the same.</summary>
    private Candidate? Next(out Standing standing)
    {
        if (series.Selection.Next(out standing, _mayWait) is { } candidate)
        {
            return candidate;
        }

        standing = Standing.Forced;
        return _told is null ? series.Selection.Forced() : null;
    }

    /// <summary>Whom to ask after one that failed; null if the budget is spent or nobody is left.</summary>
    private Candidate? Follow(ProxyError error, out Standing standing)
    {
        // Who refuses what is too long has done no work for it: that is no storm of retries, and counts for none.
        if (error.Cause == FailureCause.TooLong)
        {
            var larger = series.Selection.NextLarger(out standing, out var exists);
            if (larger is null && exists)
            {
                // Who reads that it is too long may cut it: that one who takes it is away for a moment is no reason to.
                _told = series.Selection.Nobody();
            }

            return larger;
        }

        standing = Standing.Ready;
        if (!series.TryPay())
        {
            return null;
        }

        var next = series.Selection.Next(out standing, _mayWait);
        if (next is null)
        {
            series.Refund(racer: null);
        }

        return next;
    }

    private static Result<UpstreamAnswer> Take((Result<UpstreamAnswer> Result, Candidate Asked) outcome, out Candidate asked)
    {
        asked = outcome.Asked;
        return outcome.Result;
    }

    /// <summary>The first of two has failed, and the second goes on as its failover.</summary>
    private void Leave(Candidate candidate, ProxyError error)
    {
        if (ReferenceEquals(error, _turnedAway))
        {
            // It was not asked at all, and may still be.
            series.Selection.Return(candidate);
            return;
        }

        Note(candidate, error);
        series.Note(new AttemptNote(AttemptStage.FailedOver, candidate.Target, error, 0));
    }

    /// <summary>Of several failures the client is told of the last, unless an earlier one lets it hope for more.</summary>
    private void Note(Candidate candidate, ProxyError error)
    {
        if (error.Cause == FailureCause.TooLong)
        {
            series.Selection.KeepLarger(candidate.Target);
        }

        if (error.RetryAfterMs > 0 && !error.IsFinal)
        {
            _shortestWaitMs = Math.Min(_shortestWaitMs, error.RetryAfterMs);
        }

        if (_told is { IsFinal: false } && (error.IsFinal || (error.Cause == FailureCause.TooLong && _toldContext > candidate.Target.Context)))
        {
            return;
        }

        _told = error;
        _toldContext = candidate.Target.Context;
    }

    /// <summary>With several targets a client is told to come back when the first of them is back.</summary>
    private ProxyError Tell(ProxyError error)
    {
        if (error.RetryAfterMs == 0 || error.IsFinal || series.Selection.Count == 1)
        {
            return error;
        }

        var shortest = Math.Min(_shortestWaitMs, series.Selection.ShortestPauseMs() is > 0 and var pause ? pause : int.MaxValue);
        return shortest < error.RetryAfterMs ? error with { RetryAfterMs = shortest } : error;
    }

    // Waits for nothing itself: most targets have a place.
    private ValueTask<Result<UpstreamAnswer>> AskAsync(Candidate candidate, Standing standing, Racer? racer) =>
        !TryPlan(series, candidate, out var parts, out var refused) ? TurnAway(candidate, standing, refused, racer)
        : candidate.State.Places.TryEnter() ? CallAsync(candidate, standing, parts, racer)
        : WaitAndCallAsync(candidate, standing, parts, racer);

    private static bool TryPlan(AttemptSeries series, Candidate candidate, [NotNullWhen(true)] out BodyPart[]? parts, [NotNullWhen(false)] out ProxyError? refused)
    {
        var request = series.Request;
        if (request.Endpoint.IsBodyless)
        {
            (parts, refused) = ([], null);
            return true;
        }

        parts = RequestSplice.TryPlan(
            request.Fields, request.Body.Length, candidate.Target.ModelJsonFor(series.Selection.Star), request.Route.Route.Edits, out refused,
            request.AsksForUsage(candidate.Target.Upstream));
        return refused is null;
    }

    private async ValueTask<Result<UpstreamAnswer>> WaitAndCallAsync(Candidate candidate, Standing standing, BodyPart[] parts, Racer? racer) =>
        await WaitForPlaceAsync(candidate, racer) is { } full ? await TurnAway(candidate, standing, full, racer) : await CallAsync(candidate, standing, parts, racer);

    private ValueTask<Result<UpstreamAnswer>> CallAsync(Candidate candidate, Standing standing, BodyPart[] parts, Racer? racer)
    {
        if (Pass(series, candidate, standing, parts, racer) is { } call)
        {
            return call.RunAsync();
        }

        candidate.State.Places.Exit();
        return TurnAway(candidate, standing, _turnedAway, racer);
    }

    /// <summary>What may go now: it holds a place. Null where the breaker lets nobody through.</summary>
    private static TargetCall? Pass(AttemptSeries series, Candidate candidate, in Standing standing, BodyPart[] parts, Racer? racer) =>
        candidate.State.Breaker.TryPass(standing.IsForced, out var pass) ? new TargetCall(series, candidate, standing.Right, parts, pass, racer) : null;

    private ValueTask<Result<UpstreamAnswer>> TurnAway(Candidate candidate, in Standing standing, ProxyError error, Racer? racer)
    {
        series.Refund(racer);
        candidate.State.Untold(candidate.Target.ModelFor(series.Selection.Star), standing.Right);
        return new ValueTask<Result<UpstreamAnswer>>(error);
    }

    private async ValueTask<ProxyError?> WaitForPlaceAsync(Candidate candidate, Racer? racer)
    {
        using var own = racer is null ? null : CancellationTokenSource.CreateLinkedTokenSource(series.Clock.Token);
        racer?.Wait(own);
        try
        {
            var wait = await candidate.State.Places.EnterAsync(series.Selection.Caller.Id, own?.Token ?? series.Clock.Token);

            // Who has waited that long once does not wait again, elsewhere.
            _mayWait &= wait != PlaceWait.TimedOut;
            return wait == PlaceWait.Entered ? null : ProxyErrors.Saturated;
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
