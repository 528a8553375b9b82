using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>How a target is asked: which, how it was come by, and what it runs against.</summary>
internal delegate ValueTask<Result<UpstreamAnswer>> AskTarget(Candidate candidate, Standing standing, Racer? racer);

/// <summary>
/// Asks a target, and a second one beside it when the first is slow. Whoever commits first is taken, the other is ended. If the
/// first fails meanwhile, the second goes on as its failover.
/// </summary>
internal sealed class HedgedCall(AttemptSeries series, HedgeOptions options, AskTarget ask, Action<Candidate, ProxyError> failed)
{
    private const int SlowestPercent = 95;

    private readonly RouteState _state = series.Selection.State;
    private readonly FirstEventTimes? _times = options.After is null ? series.Selection.State.Times(series.Request.WantsStream) : null;

    /// <summary>May the request be sent twice at all? Not what changes something that an upstream keeps, nor what only one can answer.</summary>
    public static bool Suits(ForwardRequest request) =>
        request.Selection.Route.Hedge is not null && request.Selection.Count > 1
        && !request.Endpoint.IsBodyless && !request.NamesStored && request.Route.Keeper is null;

    /// <summary>For a request that may be sent twice; it counts for the budget. Null for any other.</summary>
    /// <param name="series">The request's attempts.</param>
    /// <param name="ask">Asks a target.</param>
    /// <param name="failed">Told if the first has failed and the second goes on as its failover.</param>
    public static HedgedCall? TryMake(AttemptSeries series, AskTarget ask, Action<Candidate, ProxyError> failed)
    {
        if (!Suits(series.Request))
        {
            return null;
        }

        var options = series.Selection.Route.Hedge!;
        series.Selection.State.Hedges.Count(options.BudgetPercent);
        return new HedgedCall(series, options, ask, failed);
    }

    /// <summary>The silence after which a second is asked where none is configured; null while too little is known.</summary>
    public static TimeSpan? UsualDelay(ForwardRequest request) =>
        request.Selection.State.Times(request.WantsStream).Percentile(SlowestPercent);

    /// <summary>The request has been sent to a second target; that happens once.</summary>
    public bool IsSpent { get; private set; }

    /// <returns>The outcome, and whose it is.</returns>
    public async ValueTask<(Result<UpstreamAnswer> Result, Candidate Asked)> RunAsync(Candidate first, Standing standing)
    {
        var race = new Race();
        var ahead = new Racer(race, isHedge: false);
        var began = series.Time.GetTimestamp();
        var asking = BeginAsync(first, standing, ahead);
        if (!await IsSilentAsync(asking) || race.IsWon || Second(out var standingSecond) is not { } second)
        {
            var alone = await asking;
            Learn(alone, began);
            return (alone, first);
        }

        IsSpent = true;
        var behind = new Racer(race, isHedge: true);
        var beganSecond = series.Time.GetTimestamp();
        var hedging = BeginAsync(second, standingSecond, behind);
        try
        {
            // A hedge that fails changes nothing: the first may still answer.
            var isHedge = await Task.WhenAny(asking, hedging) == hedging && (await hedging).Error is null;
            var result = isHedge ? await hedging : await asking;
            var hasFailed = !isHedge && result.Error is { } error && MayGoOn(error);
            if (hasFailed)
            {
                failed(first, result.Error!);
            }

            // Whoever ends it without an answer wins, too, so that the other cannot commit to one that nobody gets any more.
            if (hasFailed || (result.Error is not null && !ahead.TryWin()))
            {
                isHedge = true;
                result = await hedging;
            }

            Learn(result, isHedge ? beganSecond : began);
            if (isHedge && !hasFailed)
            {
                // It took at least this long: left out, only quick answers would be known, and hedges come ever sooner.
                _times?.Add(series.Time.GetElapsedTime(began));
            }

            return (result, isHedge ? second : first);
        }
        finally
        {
            End(ahead, asking);
            End(behind, hedging);
        }
    }

    // Whatever it throws is in the task: the other one is to be ended then.
    private async Task<Result<UpstreamAnswer>> BeginAsync(Candidate candidate, Standing standing, Racer racer) => await ask(candidate, standing, racer);

    private bool MayGoOn(ProxyError error) => error.Cause != FailureCause.None && series.Clock.Reason == CutOff.None;

    /// <summary>Waits for the answer, but no longer than the first event may take.</summary>
    private async ValueTask<bool> IsSilentAsync(Task asking)
    {
        if (asking.IsCompleted || (options.After ?? _times!.Percentile(SlowestPercent)) is not { } delay)
        {
            return false;
        }

        // A timer of its own: the wheel's step is longer than many a first event takes.
        var due = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var timer = series.Time.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), due, delay, Timeout.InfiniteTimeSpan);
        await Task.WhenAny(asking, due.Task);
        return !asking.IsCompleted;
    }

    /// <summary>Another target that may be asked at once, if the budget has a hedge left.</summary>
    private Candidate? Second(out Standing standing)
    {
        standing = default;
        if (series.Clock.Reason != CutOff.None || !_state.Hedges.TryTake())
        {
            return null;
        }

        var second = series.Selection.Next(out standing, mayWait: false);
        if (second is null)
        {
            _state.Hedges.GiveBack();
        }

        return second;
    }

    private void Learn(in Result<UpstreamAnswer> result, long began)
    {
        if (_times is not null && result.Error is null)
        {
            _times.Add(series.Time.GetElapsedTime(began));
        }
    }

    /// <summary>Ends one that is not wanted any more. The exchange waits for it with the last of its request's body.</summary>
    private void End(Racer racer, Task<Result<UpstreamAnswer>> asking)
    {
        if (asking.IsCompleted)
        {
            GiveBackUnsent(racer);
            return;
        }

        racer.Lose();
        _ = HoldUntilAsync(racer, asking, series.Request.Body.TryHold());
    }

    private void GiveBackUnsent(Racer racer)
    {
        if (racer is { IsHedge: true, HasBegun: false })
        {
            _state.Hedges.GiveBack();
        }
    }

    private async Task HoldUntilAsync(Racer racer, Task asking, bool isHeld)
    {
        await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        GiveBackUnsent(racer);
        if (isHeld)
        {
            series.Request.Body.Release();
        }
    }
}
