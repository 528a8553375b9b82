using System.Runtime.CompilerServices;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One target, asked once, or twice if a kept connection was lost. It holds a place at the upstream, which the answer takes over, and
/// was let through by its breaker. In one method, because each that waits for another costs every request.
/// </summary>
/// <remarks>A value: what it is stands among the locals of <see cref="RunAsync"/>, which serve the next.</remarks>
internal struct TargetCall(AttemptSeries series, Candidate candidate, ProbeRight right, BodyPart[] parts, BreakerPass pass, Racer? racer)
{
    // Timestamps; the clock is looked at once for all who want to know either.
    private long _began;
    private long _ended;

    /// <summary>Asks, and tells what is known of the upstream by it.</summary>
    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    public async ValueTask<Result<UpstreamAnswer>> RunAsync()
    {
        var end = AttemptEnd.Unknown;
        candidate.Load.Begin(series.Request.WantsStream);
        Result<UpstreamAnswer> result = ProxyErrors.Superseded;
        try
        {
            var isLast = !series.MayFollow();
            for (var attempt = new Attempt(series.Clock, mayFollow: !isLast, racer); ; attempt = Again(attempt, isLast))
            {
                result = ProxyErrors.Superseded;
                var isSent = TryBegin(attempt);
                if (isSent)
                {
                    var reader = series.Sender.Prepare(series.Request, candidate.Target, series.Limits, attempt, isLast);
                    try
                    {
                        var response = await series.Sender.SendAsync(series.Request, candidate.Target, parts, attempt);
                        result = reader.Settle(await reader.ReadAsync(response));
                    }
                    catch (Exception e)
                    {
                        result = reader.FailureOf(e);
                    }

                    reader.Close(result);
                    isSent = Settle(result, attempt);
                }

                if (!isSent)
                {
                    GiveBack(attempt);
                }

                if (!MayRepeat(attempt, result))
                {
                    break;
                }
            }

            end = Tell(result.Error);
        }
        catch
        {
            // A defect of ours: nobody else would end what was committed to, and give its place back.
            result.Value?.Dispose();
            throw;
        }
        finally
        {
            await EndAsync(end, result);
        }

        return result;
    }

    /// <summary>Once: the upstream closed a kept connection in the moment in which it was used again; on a new one it would not have happened.</summary>
    private bool MayRepeat(Attempt attempt, in Result<UpstreamAnswer> result) =>
        !attempt.IsTimed && result.Error is { MayRepeat: true } && series.TryTakeExtra();

    private Attempt Again(Attempt lost, bool isLast)
    {
        var attempt = new Attempt(series.Clock, mayFollow: !isLast, racer);
        attempt.GoOnFrom(lost);
        return attempt;
    }

    /// <summary>Nothing of it was sent: what was paid for it is another's.</summary>
    private void GiveBack(Attempt attempt)
    {
        if (attempt.IsTimed)
        {
            series.GiveExtraBack();
        }
        else
        {
            series.Refund(racer);
        }
    }

    private ValueTask EndAsync(AttemptEnd end, in Result<UpstreamAnswer> result)
    {
        // Told before its place goes to who waits for it: that one is not to be sent where a breaker has just opened.
        var telling = candidate.State.Breaker.TellAsync(pass, end, candidate.Target.Model, result.Error?.Code ?? "");
        if (!telling.IsCompletedSuccessfully)
        {
            return EndAfterAsync(telling, result);
        }

        End(result);
        return default;
    }

    private async ValueTask EndAfterAsync(ValueTask telling, Result<UpstreamAnswer> result)
    {
        try
        {
            await telling;
        }
        finally
        {
            End(result);
        }
    }

    private void End(in Result<UpstreamAnswer> result)
    {
        // The answer, if there is one, holds the place until it has ended.
        if (result.Error is { } error)
        {
            EndLoad(error);
            candidate.State.Places.Exit();
        }
    }

    private AttemptEnd Tell(ProxyError? error)
    {
        var model = candidate.Target.ModelFor(series.Selection.Star);
        if (error is null)
        {
            candidate.State.Answered(model, Clock.Ms(series.Time, _ended));
            return AttemptEnd.Alive;
        }

        if (IsUnknown(series.Clock.Reason) || ReferenceEquals(error, ProxyErrors.Superseded))
        {
            candidate.State.Untold(model, right);
            return AttemptEnd.Unknown;
        }

        candidate.State.Failed(model, error, series.Now, right);
        return error.Cause is FailureCause.Failed or FailureCause.NotSent ? AttemptEnd.Failed : AttemptEnd.Alive;
    }

    private void EndLoad(ProxyError error)
    {
        var streams = series.Request.WantsStream;
        if (_began != 0 && racer is { IsHedge: false } && ReferenceEquals(error, ProxyErrors.Superseded))
        {
            // It was slow by at least this: that is no failure, but who goes by speed is to know.
            candidate.Load.PaceOf(streams).Spoke(series.Time.GetElapsedTime(_began).TotalMilliseconds);
            candidate.Load.End();
        }
        else
        {
            candidate.Load.Fail(streams);
        }
    }

    /// <summary>False if another was faster before this one was sent.</summary>
    private bool TryBegin(Attempt attempt)
    {
        var began = series.Time.GetTimestamp();
        if (racer is not null && !TryBeginRace(racer, attempt, began))
        {
            attempt.Dispose();
            return false;
        }

        if (racer is null)
        {
            series.Note(NoteOf(AttemptStage.Began, null, began) with { Attempt = attempt });
        }

        _began = began;
        return true;
    }

    private readonly bool TryBeginRace(Racer own, Attempt attempt, long began)
    {
        var (all, note) = (series, NoteOf(AttemptStage.Began, null, began) with { Attempt = attempt });
        return own.TryBegin(attempt, () => all.Note(note));
    }

    /// <returns>False if no byte of the request left us.</returns>
    private bool Settle(in Result<UpstreamAnswer> result, Attempt attempt)
    {
        _ended = series.Time.GetTimestamp();
        if (result.TryGet(out var answer, out var error))
        {
            var passed = series.Time.GetElapsedTime(_began, _ended);
            candidate.Load.PaceOf(series.Request.WantsStream).Spoke(passed.TotalMilliseconds, Clock.Ms(series.Time, _ended));
            answer.Own(attempt, candidate);

            if (racer is null)
            {
                // Past the commit no answer keeps its request, and nobody else is asked.
                series.Request.Body.End();
            }
        }
        else
        {
            attempt.Dispose();
        }

        var isSent = error?.Cause != FailureCause.NotSent;
        if (isSent)
        {
            series.CountSent();
        }

        series.Note(NoteOf(AttemptStage.Ended, error, _began) with { Ended = _ended, Usage = attempt.Usage, Answer = answer, WasSent = attempt.WasSent });
        return isSent;
    }

    private readonly AttemptNote NoteOf(AttemptStage stage, ProxyError? error, long began) =>
        new(stage, candidate.Target, error, began) { IsHedge = racer is { IsHedge: true } };

    // The client, its patience and its key, our own end and the exchange's total time say nothing of this upstream.
    private static bool IsUnknown(CutOff reason) =>
        reason is CutOff.ClientGone or CutOff.StalledReader or CutOff.Shutdown or CutOff.Total or CutOff.Fault or CutOff.Impatience or CutOff.KeyEnded;
}
