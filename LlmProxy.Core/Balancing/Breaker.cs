using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
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
internal sealed partial class Breaker
{
    // A probe that has not told by then does not keep the next one out: a model may think for minutes before it says anything.
    private const long ProbeMs = 30_000;

    private static readonly Outcome<HttpResponseMessage> _alive = Outcome.FromResult<HttpResponseMessage>(null);

    // Never thrown: it tells the strategy how an attempt ended.
    private static readonly Outcome<HttpResponseMessage> _failed = Outcome.FromException<HttpResponseMessage>(new AttemptFailedException());

    // What failed last, for the log: the model there and the error's code.
    private static readonly ResiliencePropertyKey<(string Model, string Code)> _failure = new("LlmProxy.Failure");

    private readonly TimeProvider _time;
    private readonly string _upstream;
    private readonly ILogger _logger;
    private readonly BreakerOptions _options;
    private readonly ResiliencePipeline<HttpResponseMessage>? _pipeline;
    private readonly CircuitBreakerManualControl _control = new();
    private long _brokenUntil;
    private long _openedAt;
    private long _probeUntil;
    private int _changes;

    public Breaker(BreakerOptions options, TimeProvider time, string upstream = "", ILogger? logger = null)
    {
        _time = time;
        _upstream = upstream;
        _logger = logger ?? NullLogger.Instance;
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

    /// <summary>Lets an attempt through, which must tell how it ended.</summary>
    /// <param name="isForced">It is let through though the breaker is open: an answer closes it.</param>
    /// <param name="pass">To be handed to <see cref="TellAsync"/>.</param>
    /// <returns>False if it may not pass: the breaker is open, or another attempt is its probe.</returns>
    public bool TryPass(bool isForced, out BreakerPass pass)
    {
        pass = new BreakerPass(Volatile.Read(ref _changes), 0, isForced);
        if (_pipeline is null || isForced || !IsOpen)
        {
            return true;
        }

        var mayPass = TryProbe(out var probe);
        pass = pass with { Probe = probe };
        return mayPass;
    }

    /// <summary>An attempt that was let through has ended.</summary>
    /// <param name="pass">What it was let through with.</param>
    /// <param name="end">How.</param>
    /// <param name="model">As configured, for the log.</param>
    /// <param name="code">Of its error, likewise.</param>
    public ValueTask TellAsync(in BreakerPass pass, AttemptEnd end, string model = "", string code = "")
    {
        if (pass.IsForced)
        {
            return end == AttemptEnd.Alive ? new ValueTask(CloseAsync()) : default;
        }

        // What began before it opened says nothing of what has become of the upstream since.
        var telling = _pipeline is not null && end != AttemptEnd.Unknown && (pass.Probe != 0 || pass.Changes == Volatile.Read(ref _changes))
            ? CountAsync(end, model, code)
            : default;
        return pass.Probe == 0 ? telling : EndProbeAsync(telling, pass.Probe);
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

    private async ValueTask EndProbeAsync(ValueTask telling, long probe)
    {
        await telling;
        Interlocked.CompareExchange(ref _probeUntil, 0, probe);
    }

    private ValueTask CountAsync(AttemptEnd end, string model, string code)
    {
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        if (end == AttemptEnd.Failed)
        {
            context.Properties.Set(_failure, (model, code));
        }

        var counting = _pipeline!.ExecuteOutcomeAsync(
            static (_, outcome) => new ValueTask<Outcome<HttpResponseMessage>>(outcome), context, end == AttemptEnd.Failed ? _failed : _alive);

        // Only what opens or closes it takes longer.
        if (!counting.IsCompletedSuccessfully)
        {
            return ReturnAsync(counting, context);
        }

        _ = counting.Result;
        ResilienceContextPool.Shared.Return(context);
        return default;
    }

    private static async ValueTask ReturnAsync(ValueTask<Outcome<HttpResponseMessage>> counting, ResilienceContext context)
    {
        await counting;
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
            var wasOpen = Interlocked.Exchange(ref _brokenUntil, Math.Max(1, now + (long)args.BreakDuration.TotalMilliseconds)) != 0;
            Tell(args.Context, wasOpen, args.BreakDuration);
            return default;
        },
        OnClosed = _ =>
        {
            Interlocked.Increment(ref _changes);
            Volatile.Write(ref _brokenUntil, 0);
            Log.Closed(_logger, _upstream);
            return default;
        },
    };

    // A warning once, not with each probe that fails: those come as often as it is out for short.
    private void Tell(ResilienceContext context, bool wasOpen, TimeSpan duration)
    {
        var (model, code) = context.Properties.GetValue(_failure, ("", ""));
        var until = _time.GetUtcNow() + duration;
        if (wasOpen)
        {
            Log.StillOpen(_logger, _upstream, model, code, until);
        }
        else
        {
            Log.Opened(_logger, _upstream, model, code, until);
        }
    }

    private TimeSpan DurationOf(int halfOpenAttempts)
    {
        var doubled = _options.OpenFor * Math.Pow(2, Math.Min(halfOpenAttempts, 20));
        return doubled < _options.LongestOpen ? doubled : _options.LongestOpen;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Upstream {Upstream} fails too often and is left alone until {Until:u}; its last failure was {Code}, with model {Model}.")]
        public static partial void Opened(ILogger logger, string upstream, string model, string code, DateTimeOffset until);

        [LoggerMessage(2, LogLevel.Information, "Upstream {Upstream} still fails and is left alone until {Until:u}; its probe ended in {Code}, with model {Model}.")]
        public static partial void StillOpen(ILogger logger, string upstream, string model, string code, DateTimeOffset until);

        [LoggerMessage(3, LogLevel.Information, "Upstream {Upstream} answers and is asked again.")]
        public static partial void Closed(ILogger logger, string upstream);
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

/// <summary>What an attempt was let through with.</summary>
/// <param name="Changes">How often the breaker had opened and closed by then.</param>
/// <param name="Probe">Until when nobody else is let through; 0 if the attempt is no probe.</param>
/// <param name="IsForced">It was let through though the breaker was open.</param>
internal readonly record struct BreakerPass(int Changes, long Probe, bool IsForced);

/// <summary>Milliseconds of a time provider, of which live states count theirs.</summary>
internal static class Clock
{
    public static long Ms(TimeProvider time) => Ms(time, time.GetTimestamp());

    /// <summary>The same of a moment that was looked at already.</summary>
    public static long Ms(TimeProvider time, long timestamp) => (long)(timestamp * (1000.0 / time.TimestampFrequency));
}
