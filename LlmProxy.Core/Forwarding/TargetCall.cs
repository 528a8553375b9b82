using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>One target, asked once, or twice if a kept connection was lost. It holds a place at the upstream, which the answer takes over.</summary>
internal sealed class TargetCall(AttemptSeries series, Candidate candidate, List<BodyPart> parts)
{
    /// <summary>The outcome, once <see cref="RunAsync"/> has ended.</summary>
    public Result<UpstreamAnswer> Result { get; private set; }

    /// <summary>Asks, and tells what is known of the upstream by it.</summary>
    public async ValueTask<AttemptEnd> RunAsync()
    {
        candidate.Load.Begin(series.Request.WantsStream);
        var isLast = !series.MayFollow();
        var attempt = new Attempt(series.Clock, mayFollow: !isLast);
        Result = await AttemptAsync(attempt, isLast);
        if (Result.Error is { MayRepeat: true })
        {
            // The upstream closed a kept connection in the moment in which it was used again: on a new one it would not have happened.
            var again = new Attempt(series.Clock, mayFollow: !isLast);
            again.GoOnFrom(attempt);
            Result = await AttemptAsync(again, isLast);
        }

        var model = candidate.Target.ModelFor(series.Selection.Star);
        if (Result.Error is not { } error)
        {
            candidate.State.Answered(model, series.Now);
            return AttemptEnd.Alive;
        }

        candidate.Load.Fail(series.Request.WantsStream);
        candidate.State.Places.Exit();
        if (IsUnknown(series.Clock.Reason))
        {
            return AttemptEnd.Unknown;
        }

        candidate.State.Failed(model, error, series.Now);
        return error.Cause is FailureCause.Failed or FailureCause.NotSent ? AttemptEnd.Failed : AttemptEnd.Alive;
    }

    private async ValueTask<Result<UpstreamAnswer>> AttemptAsync(Attempt attempt, bool isLast)
    {
        var began = series.Time.GetTimestamp();
        series.Note(new AttemptNote(AttemptStage.Began, candidate.Target, null, began));
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

        series.Note(new AttemptNote(AttemptStage.Ended, candidate.Target, error, began));
        return result;
    }

    // The client, our own end and the exchange's total time say nothing of this upstream.
    private static bool IsUnknown(CutOff reason) => reason is CutOff.ClientGone or CutOff.StalledReader or CutOff.Shutdown or CutOff.Total or CutOff.Fault;
}
