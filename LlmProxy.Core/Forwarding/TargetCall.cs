using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>One target, asked once, or twice if a kept connection was lost. It holds a place at the upstream, which the answer takes over.</summary>
internal sealed class TargetCall(AttemptSeries series, Candidate candidate, List<BodyPart> parts, Racer? racer = null)
{
    private long _began;

    /// <summary>The outcome, once <see cref="RunAsync"/> has ended.</summary>
    public Result<UpstreamAnswer> Result { get; private set; }

    /// <summary>Asks, and tells what is known of the upstream by it.</summary>
    public async ValueTask<AttemptEnd> RunAsync()
    {
        var streams = series.Request.WantsStream;
        candidate.Load.Begin(streams);
        try
        {
            var isLast = !series.MayFollow();
            var attempt = new Attempt(series.Clock, mayFollow: !isLast, racer);
            Result = await AttemptAsync(attempt, isLast);

            // The upstream closed a kept connection in the moment in which it was used again: on a new one it would not have happened.
            if (Result.Error is { MayRepeat: true } && series.TryTakeExtra())
            {
                var again = new Attempt(series.Clock, mayFollow: !isLast, racer);
                again.GoOnFrom(attempt);
                Result = await AttemptAsync(again, isLast);
            }
        }
        finally
        {
            if (Result.Value is null)
            {
                EndLoad(streams);
                candidate.State.Places.Exit();
            }
        }

        var model = candidate.Target.ModelFor(series.Selection.Star);
        if (Result.Error is not { } error)
        {
            candidate.State.Answered(model, series.Now);
            return AttemptEnd.Alive;
        }

        if (IsUnknown(series.Clock.Reason) || ReferenceEquals(error, ProxyErrors.Superseded))
        {
            candidate.State.Untold(model);
            return AttemptEnd.Unknown;
        }

        candidate.State.Failed(model, error, series.Now);
        return error.Cause is FailureCause.Failed or FailureCause.NotSent ? AttemptEnd.Failed : AttemptEnd.Alive;
    }

    private void EndLoad(bool streams)
    {
        if (_began != 0 && racer is { IsHedge: false } && ReferenceEquals(Result.Error, ProxyErrors.Superseded))
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

    private async ValueTask<Result<UpstreamAnswer>> AttemptAsync(Attempt attempt, bool isLast)
    {
        var began = series.Time.GetTimestamp();
        if (!TryBegin(attempt, began))
        {
            attempt.Dispose();
            return ProxyErrors.Superseded;
        }

        _began = began;
        var result = await series.Sender.SendAsync(series.Request, candidate.Target, parts, series.Limits, attempt, isLast);
        if (result.TryGet(out var answer, out var error))
        {
            candidate.Load.PaceOf(series.Request.WantsStream).Spoke(series.Time.GetElapsedTime(began).TotalMilliseconds);
            answer.Own(attempt, candidate);
        }
        else
        {
            attempt.Dispose();
        }

        if (error?.Cause != FailureCause.NotSent)
        {
            series.CountSent();
        }

        series.Note(NoteOf(AttemptStage.Ended, error, began) with { Usage = attempt.Usage });
        return result;
    }

    private bool TryBegin(Attempt attempt, long began)
    {
        if (racer is not null)
        {
            return TryBeginRace(racer, attempt, began);
        }

        series.Note(NoteOf(AttemptStage.Began, null, began));
        return true;
    }

    private bool TryBeginRace(Racer own, Attempt attempt, long began) =>
        own.TryBegin(attempt, () => series.Note(NoteOf(AttemptStage.Began, null, began)));

    private AttemptNote NoteOf(AttemptStage stage, ProxyError? error, long began) =>
        new(stage, candidate.Target, error, began) { IsHedge = racer is { IsHedge: true } };

    // The client, our own end and the exchange's total time say nothing of this upstream.
    private static bool IsUnknown(CutOff reason) => reason is CutOff.ClientGone or CutOff.StalledReader or CutOff.Shutdown or CutOff.Total or CutOff.Fault;
}
