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
/// The circuit breaker of an upstream, kept by Polly. It is told how a whole attempt ended, at the commit: what dies between the
/// headers and the commit counts.
/// </summary>
/// <remarks>
/// Polly knows success and failure only, so an attempt that told nothing, because its client went away, is not shown to it: it
/// would water the ratio down, or close a circuit. And Polly's breaker leaves Open only when something is executed, so whoever
/// looks at its state before executing waits for ever: what is looked at is <see cref="BrokenUntil"/>, noted when it opens, and
/// who may be the probe is decided here.
/// </remarks>
internal sealed class Breaker
{
    // A probe that has not told by then does not keep the next one out: a model may think for minutes before it says anything.
    private const long ProbeMs = 30_000;

    private static readonly Outcome<HttpResponseMessage> _alive = Outcome.FromResult<HttpResponseMessage>(null);

    // Never thrown: it tells the strategy how an attempt ended.
    private static readonly Outcome<HttpResponseMessage> _failed = Outcome.FromException<HttpResponseMessage>(new AttemptFailedException());

    private readonly TimeProvider _time;
    private readonly BreakerOptions _options;
    private readonly ResiliencePipeline<HttpResponseMessage>? _pipeline;
    private readonly CircuitBreakerManualControl _control = new();
    private long _brokenUntil;
    private long _openedAt;
    private long _probeUntil;
    private int _changes;

    public Breaker(BreakerOptions options, TimeProvider time)
    {
        _time = time;
        _options = options;
        if (options.Window > TimeSpan.Zero)
        {
            _pipeline = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = new SteadyTime(time) }.AddCircuitBreaker(Strategy()).Build();
        }
    }

    /// <summary>It is open, or waits for its probe.</summary>
    public bool IsOpen => BrokenUntil != 0;

    /// <summary>Until when nobody is let through, in milliseconds of <see cref="Clock"/>; 0 while it is closed.</summary>
    public long BrokenUntil => Volatile.Read(ref _brokenUntil);

    /// <summary>When it opened, or opened anew after a probe, in milliseconds of <see cref="Clock"/>.</summary>
    public long OpenedAt => Volatile.Read(ref _openedAt);

    /// <summary>Would an attempt be let through now?</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="until">When, if not.</param>
    public bool MayPass(long now, out long until)
    {
        until = BrokenUntil;
        if (until == 0)
        {
            return true;
        }

        until = Math.Max(until, Volatile.Read(ref _probeUntil));
        return now >= until;
    }

    /// <summary>Runs an attempt and counts how it ended.</summary>
    /// <param name="attempt">Returns how it ended.</param>
    /// <param name="state">Handed to it.</param>
    /// <returns>False if it was not run: the breaker is open, or another attempt is its probe.</returns>
    public async ValueTask<bool> RunAsync<TState>(Func<TState, ValueTask<AttemptEnd>> attempt, TState state)
    {
        if (_pipeline is null)
        {
            await attempt(state);
            return true;
        }

        var probe = 0L;
        if (IsOpen && !TryProbe(out probe))
        {
            return false;
        }

        var changes = Volatile.Read(ref _changes);
        try
        {
            var end = await attempt(state);

            // What began before it opened says nothing of what has become of the upstream since.
            if (end != AttemptEnd.Unknown && (probe != 0 || changes == Volatile.Read(ref _changes)))
            {
                await TellAsync(end);
            }
        }
        finally
        {
            if (probe != 0)
            {
                Interlocked.CompareExchange(ref _probeUntil, 0, probe);
            }
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
    public Task CloseAsync() => IsOpen ? _control.CloseAsync() : Task.CompletedTask;

    private bool TryProbe(out long probe)
    {
        var now = Clock.Ms(_time);
        var before = Volatile.Read(ref _probeUntil);
        probe = now + ProbeMs;
        return now >= BrokenUntil && now >= before && Interlocked.CompareExchange(ref _probeUntil, probe, before) == before;
    }

    private async ValueTask TellAsync(AttemptEnd end)
    {
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        await _pipeline!.ExecuteOutcomeAsync(
            static (_, outcome) => new ValueTask<Outcome<HttpResponseMessage>>(outcome), context, end == AttemptEnd.Failed ? _failed : _alive);
        ResilienceContextPool.Shared.Return(context);
    }

    private HttpCircuitBreakerStrategyOptions Strategy() => new()
    {
        MinimumThroughput = _options.Requests,
        FailureRatio = _options.FailurePercent / 100.0,
        SamplingDuration = _options.Window,
        ManualControl = _control,
        ShouldHandle = static args => new ValueTask<bool>(args.Outcome.Exception is AttemptFailedException),
        BreakDurationGenerator = args => new ValueTask<TimeSpan>(DurationOf(args.HalfOpenAttempts)),
        OnOpened = args =>
        {
            var now = Clock.Ms(_time);
            Interlocked.Increment(ref _changes);
            Volatile.Write(ref _openedAt, now);
            Volatile.Write(ref _brokenUntil, Math.Max(1, now + (long)args.BreakDuration.TotalMilliseconds));
            return default;
        },
        OnClosed = _ =>
        {
            Interlocked.Increment(ref _changes);
            Volatile.Write(ref _brokenUntil, 0);
            return default;
        },
    };

    private TimeSpan DurationOf(int halfOpenAttempts)
    {
        var doubled = _options.OpenFor * Math.Pow(2, Math.Min(halfOpenAttempts, 20));
        return doubled < _options.LongestOpen ? doubled : _options.LongestOpen;
    }

    private sealed class AttemptFailedException : Exception;

    /// <summary>Polly reads the time of the day: a clock that is put back would keep a circuit open for as long.</summary>
    private sealed class SteadyTime(TimeProvider time) : TimeProvider
    {
        private readonly DateTimeOffset _began = time.GetUtcNow();
        private readonly long _origin = time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => _began + time.GetElapsedTime(_origin);
    }
}

/// <summary>Milliseconds of a time provider, for what is compared and never shown.</summary>
internal static class Clock
{
    public static long Ms(TimeProvider time) => (long)(time.GetTimestamp() * (1000.0 / time.TimestampFrequency));
}
