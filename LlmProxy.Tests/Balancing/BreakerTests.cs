using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using Polly;

namespace LlmProxy.Tests.Balancing;

internal sealed class BreakerTests
{
    private FakeTimeProvider _time = null!;
    private Breaker _breaker = null!;

    [SetUp]
    public void Make()
    {
        _time = new FakeTimeProvider();
        _breaker = new Breaker(new BreakerOptions(), _time);
    }

    [Test]
    public async Task It_opens_at_half_of_at_least_five_and_not_before()
    {
        await RunAsync(AttemptEnd.Failed, 4);
        Assert.That(_breaker.IsOpen, Is.False);
        await RunAsync(AttemptEnd.Failed);
        Assert.That(_breaker.IsOpen, Is.True);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.False, "nobody is let through");
    }

    [Test]
    public async Task What_nobody_knows_does_not_count_either_way()
    {
        await RunAsync(AttemptEnd.Failed, 4);
        await RunAsync(AttemptEnd.Unknown, 100);
        Assert.That(_breaker.IsOpen, Is.False);
        await RunAsync(AttemptEnd.Failed);
        Assert.That(_breaker.IsOpen, Is.True, "a hundred that left do not water five failures down");
    }

    [Test]
    public async Task A_probe_that_told_nothing_neither_closes_nor_counts_and_the_next_is_the_probe()
    {
        await OpenAsync();
        Advance(10);
        Assert.That(await TryAsync(AttemptEnd.Unknown), Is.True);
        Assert.That(_breaker.IsOpen, Is.True);
        Assert.That(await TryAsync(AttemptEnd.Failed), Is.True, "at once");
        Advance(19);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.False, "doubled once, not twice");
        Advance(1);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.True);
        Assert.That(_breaker.IsOpen, Is.False);
    }

    [Test]
    public async Task Each_probe_that_fails_doubles_the_time_up_to_the_longest_and_an_answer_begins_anew()
    {
        await OpenAsync();
        foreach (var seconds in new[] { 10, 20, 40, 80, 120, 120 })
        {
            Advance(seconds - 0.1);
            Assert.That(await TryAsync(AttemptEnd.Failed), Is.False, $"{seconds}");
            Advance(0.2);
            Assert.That(await TryAsync(AttemptEnd.Failed), Is.True, $"{seconds}");
        }

        Advance(121);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.True);
        await OpenAsync();
        Advance(10.1);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.True);
    }

    [Test]
    public async Task Only_one_probe_at_a_time_but_one_that_never_tells_does_not_keep_the_next_out()
    {
        await OpenAsync();
        Advance(10);
        var gate = new TaskCompletionSource<AttemptEnd>();
        var hanging = _breaker.RunAsync(async wait => await wait, gate.Task).AsTask();
        Assert.That(_breaker.MayPass(Clock.Ms(_time), out _), Is.False);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.False);
        Advance(31);
        Assert.That(_breaker.MayPass(Clock.Ms(_time), out _), Is.True);
        Assert.That(await TryAsync(AttemptEnd.Alive), Is.True);
        Assert.That(_breaker.IsOpen, Is.False);
        gate.SetResult(AttemptEnd.Failed);
        Assert.That(await hanging, Is.True);
        Assert.That(_breaker.IsOpen, Is.False, "what it found out is old");
    }

    [Test]
    public async Task What_began_before_it_opened_does_not_decide_over_a_probe()
    {
        var gate = new TaskCompletionSource<AttemptEnd>();
        var early = _breaker.RunAsync(async wait => await wait, gate.Task).AsTask();
        await OpenAsync();
        Advance(11);
        gate.SetResult(AttemptEnd.Failed);
        await early;
        Assert.That(_breaker.MayPass(Clock.Ms(_time), out _), Is.True, "it would have opened it for twice as long");
    }

    [Test]
    public async Task It_is_seen_to_be_due_though_nobody_runs_anything()
    {
        // Polly's own state stays Open until something is executed: whoever waits for it to change waits for ever.
        var state = new Polly.CircuitBreaker.CircuitBreakerStateProvider();
        var polly = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = _time }
            .AddCircuitBreaker(new HttpCircuitBreakerStrategyOptions { MinimumThroughput = 2, FailureRatio = 0.1, StateProvider = state, BreakDuration = TimeSpan.FromSeconds(5) })
            .Build();
        for (var i = 0; i < 2; i++)
        {
            await polly.ExecuteAsync(static _ => ValueTask.FromResult(new HttpResponseMessage(System.Net.HttpStatusCode.ServiceUnavailable)));
        }

        await OpenAsync();
        Assert.That(_breaker.MayPass(Clock.Ms(_time), out _), Is.False);
        Advance(3600);
        Assert.That(state.CircuitState, Is.EqualTo(Polly.CircuitBreaker.CircuitState.Open), "the trap");
        Assert.That(_breaker.MayPass(Clock.Ms(_time), out _), Is.True);
    }

    [Test]
    public async Task A_clock_of_the_day_that_is_put_back_keeps_nobody_out()
    {
        var wall = new MovedClock(_time);
        var breaker = new Breaker(new BreakerOptions(), wall);
        for (var i = 0; i < 5; i++)
        {
            await breaker.RunAsync(static _ => ValueTask.FromResult(AttemptEnd.Failed), 0);
        }

        wall.Offset = TimeSpan.FromHours(-5);
        Advance(11);
        Assert.That(await breaker.RunAsync(static _ => ValueTask.FromResult(AttemptEnd.Alive), 0), Is.True);
        Assert.That(breaker.IsOpen, Is.False);
    }

    [Test]
    public async Task An_attempt_made_though_it_is_open_closes_it_by_an_answer_alone()
    {
        await OpenAsync();
        await _breaker.RunOpenAsync(static _ => ValueTask.FromResult(AttemptEnd.Failed), 0);
        await _breaker.RunOpenAsync(static _ => ValueTask.FromResult(AttemptEnd.Unknown), 0);
        Assert.That(_breaker.IsOpen, Is.True);
        await _breaker.RunOpenAsync(static _ => ValueTask.FromResult(AttemptEnd.Alive), 0);
        Assert.That(_breaker.IsOpen, Is.False);
    }

    [Test]
    public void A_defect_of_ours_comes_out_as_it_is_and_gives_the_probe_back()
    {
        Assert.ThrowsAsync<InvalidOperationException>(async () => await _breaker.RunAsync<int>(static _ => throw new InvalidOperationException(), 0));
    }

    [Test]
    public async Task Without_a_window_there_is_none()
    {
        var breaker = new Breaker(new BreakerOptions { Window = TimeSpan.Zero }, _time);
        for (var i = 0; i < 100; i++)
        {
            Assert.That(await breaker.RunAsync(static _ => ValueTask.FromResult(AttemptEnd.Failed), 0), Is.True);
        }

        Assert.That(breaker.IsOpen, Is.False);
    }

    [Test]
    public void Retries_are_not_left_to_the_library_which_knows_no_retry_of_none()
    {
        // The trap: a budget of none would not build.
        var none = new HttpRetryStrategyOptions { MaxRetryAttempts = 0 };
        Assert.That(
            () => new ResiliencePipelineBuilder<HttpResponseMessage>().AddRetry(none).Build(),
            Throws.InstanceOf<System.ComponentModel.DataAnnotations.ValidationException>());
        Assert.That(new SlidingBudget().TryTake(0, 0, 0), Is.False, "ours is a budget, and none is none");
    }

    private async Task OpenAsync() => await RunAsync(AttemptEnd.Failed, 5);

    private async Task RunAsync(AttemptEnd end, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            Assert.That(await TryAsync(end), Is.True);
        }
    }

    private ValueTask<bool> TryAsync(AttemptEnd end) => _breaker.RunAsync(static end => ValueTask.FromResult(end), end);

    private void Advance(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    private sealed class MovedClock(FakeTimeProvider time) : TimeProvider
    {
        public TimeSpan Offset { get; set; }

        public override long TimestampFrequency => time.TimestampFrequency;

        public override long GetTimestamp() => time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + Offset;
    }
}
