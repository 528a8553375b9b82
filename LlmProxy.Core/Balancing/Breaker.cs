using System.Runtime.ExceptionServices;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.CircuitBreaker;

namespace LlmProxy.Core.Balancing;

/// <summary>How an attempt ended, for the breaker.</summary>
internal enum AttemptEnd
{
    /// <summary>The upstream is alive: it committed to an answer, or refused for a reason that is none of its health.</summary>
    Alive,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>Nobody knows: the client went away, or we ended it.</summary>
    Unknown,
}

/// <summary>
/// The circuit breaker of an upstream, kept by Polly. It runs around whole attempts: what dies between the headers and the commit
/// counts, what the client aborted does not.
/// </summary>
/// <remarks>
/// A breaker never leaves Open by itself while nobody executes anything, and whoever looks at its state before executing waits for
/// ever: so what is looked at is <see cref="BrokenUntil"/>, noted when it opens.
/// </remarks>
internal sealed class Breaker
{
    private static readonly Outcome<HttpResponseMessage> _alive = Outcome.FromResult<HttpResponseMessage>(null);

    // Never thrown: they tell the strategy how an attempt ended.
    private static readonly Outcome<HttpResponseMessage> _failed = Outcome.FromException<HttpResponseMessage>(new AttemptEndedException());
    private static readonly Outcome<HttpResponseMessage> _unknown = Outcome.FromException<HttpResponseMessage>(new AttemptEndedException());

    private readonly TimeProvider _time;
    private readonly BreakerOptions _options;
    private readonly ResiliencePipeline<HttpResponseMessage>? _pipeline;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly CircuitBreakerManualControl _control = new();
    private long _brokenUntil;
    private long _openedAt;
    private volatile bool _wasUnknown;

    public Breaker(BreakerOptions options, TimeProvider time)
    {
        _time = time;
        _options = options;
        if (options.Window > TimeSpan.Zero)
        {
            _pipeline = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }.AddCircuitBreaker(Strategy()).Build();
        }
    }

    /// <summary>It is open, or waits for its probe.</summary>
    public bool IsOpen => _pipeline is not null && Volatile.Read(ref _brokenUntil) != 0;

    /// <summary>Until when nobody is let through, in milliseconds of <see cref="Clock"/>; 0 while it is closed.</summary>
    public long BrokenUntil => Volatile.Read(ref _brokenUntil);

    /// <summary>When it opened, or opened anew after a probe, in milliseconds of <see cref="Clock"/>.</summary>
    public long OpenedAt => Volatile.Read(ref _openedAt);

    /// <summary>Runs an attempt and counts how it ended.</summary>
    /// <param name="attempt">Returns how it ended; never throws.</param>
    /// <param name="state">Handed to it.</param>
    /// <returns>False if it was not run: the breaker is open, or another attempt is its probe.</returns>
    public async ValueTask<bool> RunAsync<TState>(Func<TState, ValueTask<AttemptEnd>> attempt, TState state)
    {
        if (_pipeline is null)
        {
            await attempt(state);
            return true;
        }

        // Not the exchange's token: a cancellation before the attempt would be an outcome of its own, and attempts mind theirs.
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        var outcome = await _pipeline.ExecuteOutcomeAsync(
            static async (_, call) => OutcomeOf(await call.attempt(call.state)), context, (attempt, state));
        ResilienceContextPool.Shared.Return(context);
        switch (outcome.Exception)
        {
            case BrokenCircuitException:
                return false;
            case { } fault and not AttemptEndedException:
                // A defect of ours, which the pipeline has caught.
                ExceptionDispatchInfo.Throw(fault);
                break;
        }

        return true;
    }

    /// <summary>Runs an attempt though it is open: an answer closes it.</summary>
    public async ValueTask RunOpenAsync<TState>(Func<TState, ValueTask<AttemptEnd>> attempt, TState state)
    {
        if (await attempt(state) == AttemptEnd.Alive)
        {
            await CloseAsync();
        }
    }

    /// <summary>The upstream was seen to be well by other means.</summary>
    public Task CloseAsync() => _control.CloseAsync();

    private static Outcome<HttpResponseMessage> OutcomeOf(AttemptEnd end) => end switch
    {
        AttemptEnd.Alive => _alive,
        AttemptEnd.Failed => _failed,
        _ => _unknown,
    };

    private HttpCircuitBreakerStrategyOptions Strategy() => new()
    {
        MinimumThroughput = _options.Requests,
        FailureRatio = _options.FailurePercent / 100.0,
        SamplingDuration = _options.Window,
        StateProvider = _state,
        ManualControl = _control,
        ShouldHandle = args => new ValueTask<bool>(Counts(args.Outcome)),
        BreakDurationGenerator = args => new ValueTask<TimeSpan>(DurationOf(args.HalfOpenAttempts)),
        OnOpened = args =>
        {
            var now = Clock.Ms(_time);
            Volatile.Write(ref _openedAt, now);
            Volatile.Write(ref _brokenUntil, now + (long)args.BreakDuration.TotalMilliseconds);
            return default;
        },
        OnClosed = _ =>
        {
            Volatile.Write(ref _brokenUntil, 0);
            return default;
        },
    };

    // A probe that told nothing must neither close the circuit nor count against the upstream: it stays open for the
    // shortest time, and the next request is the probe.
    private bool Counts(Outcome<HttpResponseMessage> outcome)
    {
        _wasUnknown = ReferenceEquals(outcome.Exception, _unknown.Exception);
        return ReferenceEquals(outcome.Exception, _failed.Exception) || (_wasUnknown && _state.CircuitState == CircuitState.HalfOpen);
    }

    private TimeSpan DurationOf(int halfOpenAttempts)
    {
        if (_wasUnknown)
        {
            return TimeSpan.FromMilliseconds(500);
        }

        var doubled = _options.OpenFor * Math.Pow(2, Math.Min(halfOpenAttempts, 20));
        return doubled < _options.LongestOpen ? doubled : _options.LongestOpen;
    }

    private sealed class AttemptEndedException : Exception;
}

/// <summary>Milliseconds of a time provider, for what is compared and never shown.</summary>
internal static class Clock
{
    public static long Ms(TimeProvider time) => (long)(time.GetTimestamp() * (1000.0 / time.TimestampFrequency));
}
