using LlmProxy.Core.Authentication;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>A clock serves the next exchange where nobody can hold it from the last: else one request would end another.</summary>
internal sealed class ClockReuseTests
{
    private readonly HandTimer _time = new();
    private ClockWheel _wheel = null!;

    [SetUp]
    public void Begin() => _wheel = new ClockWheel(_time);

    [TearDown]
    public void End()
    {
        Assert.That(_wheel.Watched, Is.Zero);
        _wheel.Dispose();
    }

    [Test]
    public void One_that_nobody_holds_serves_again()
    {
        var first = Serve(static clock => _ = clock.OwnToken);
        using var second = Next();
        Assert.That(second, Is.SameAs(first));
    }

    [Test]
    public void One_that_was_cut_off_ends_with_its_exchange() => AssertEnds(static clock => clock.Cut(CutOff.ClientGone));

    [Test]
    public void One_whose_token_went_to_anybody_ends_with_its_exchange() => AssertEnds(static clock => _ = clock.Token);

    [Test]
    public void One_whose_key_was_looked_at_ends_with_its_exchange() => AssertEnds(_ => _wheel.FindKeysDue(4, DateTimeOffset.UnixEpoch));

    [Test]
    public void One_that_is_to_be_cut_with_all_others_ends_with_its_exchange() => AssertEnds(static clock => clock.Stripe!.ToArray());

    [Test]
    public void One_that_was_woken_ends_with_its_exchange() => AssertEnds(clock =>
    {
        clock.WatchQuiet(TimeSpan.FromMilliseconds(100), new CountingSleeper());
        _time.Advance(200);
        _time.Tick();
        Assert.That(clock.Reason, Is.EqualTo(CutOff.None));
    });

    [Test]
    public void One_that_an_attempts_own_clock_hangs_on_ends_with_its_exchange() => AssertEnds(static clock => new Attempt(clock, mayFollow: true).Dispose());

    [Test]
    public void One_that_the_wheel_did_not_begin_ends_with_its_exchange()
    {
        var first = new ExchangeClock(_wheel, CancellationToken.None);
        first.Dispose();
        using var second = Next();
        Assert.That(second, Is.Not.SameAs(first));
    }

    [Test]
    public void Nothing_is_left_of_the_exchange_before()
    {
        using var gone = new CancellationTokenSource();
        var (sleeper, asked, hasRun) = (new CountingSleeper(), 0, false);
        var first = _wheel.Begin(gone.Token, default);
        first.OwnToken.Register(() => hasRun = true);
        first.Begin(CutOff.Response, TimeSpan.FromSeconds(1));
        first.LimitTotal(TimeSpan.FromSeconds(1));
        first.LimitPatience(TimeSpan.FromSeconds(1));
        first.WatchIdle(TimeSpan.FromSeconds(1));
        first.WatchQuiet(TimeSpan.FromSeconds(1), sleeper);
        first.WatchReader(TimeSpan.FromSeconds(1), this, _ => asked++);
        first.BeginWaitForReader(() => hasRun = true);
        first.Dispose();
        (asked, var wasAsked) = (0, asked);

        using var second = Next();
        gone.Cancel();
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(ClockWheel.StepMs);
            _time.Tick();
        }

        Assert.That(second, Is.SameAs(first));
        Assert.That((second.Reason, second.Token.IsCancellationRequested, second.IsQuiet, second.IsInPhase), Is.EqualTo((CutOff.None, false, false, false)));
        Assert.That(_wheel.FindKeysDue(9, DateTimeOffset.MaxValue), Is.EqualTo(new[] { second }), "its key is the one that it was begun with");
        second.Cut(CutOff.Idle);
        Assert.That((hasRun, sleeper.Wakes, asked, wasAsked), Is.EqualTo((false, 0, 0, 1)));
    }

    [Test]
    public void No_more_are_kept_than_serve_at_one_moment()
    {
        var many = Enumerable.Range(0, 500).Select(_ => Next()).ToList();
        many.ForEach(static c => c.Dispose());
        var next = Enumerable.Range(0, 500).Select(_ => Next()).ToList();
        Assert.That(next.Distinct().Count(), Is.EqualTo(500));
        Assert.That(next.Intersect(many).Count(), Is.InRange(1, 64 * Environment.ProcessorCount));
        next.ForEach(static c => c.Dispose());
    }

    /// <summary>Whoever is cut off is so for a reason of its own, however clocks go from one exchange to the next.</summary>
    [Test]
    public async Task Nobody_is_ended_by_the_reason_of_another()
    {
        using var done = new CancellationTokenSource();
        var stepping = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                _time.Advance(ClockWheel.StepMs);
                _time.Tick();
                _wheel.FindKeysDue(1, DateTimeOffset.UnixEpoch);
            }
        });
        var wrong = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() =>
        {
            for (var i = 0; i < 3000; i++)
            {
                using var gone = new CancellationTokenSource();
                using var clock = _wheel.Begin(gone.Token, i % 4 == 3 ? new KeyHold(new KeySecret([1], null), null, state: 3) : default);
                if (i % 4 == 3)
                {
                    // Listed by its key or for its time, and often over before it is looked at.
                    clock.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(1));
                    continue;
                }

                var cut = i % 3 == 0;
                if (cut)
                {
                    clock.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(1));
                }
                else if (i % 3 == 1)
                {
                    gone.Cancel();
                }

                Thread.Yield();
                var isCut = cut ? clock.OwnToken.WaitHandle.WaitOne(Deadline.Default) : clock.OwnToken.IsCancellationRequested;
                var expected = cut ? CutOff.FirstEvent : i % 3 == 1 ? CutOff.ClientGone : CutOff.None;
                Interlocked.Add(ref wrong, clock.Reason == expected && isCut == (expected != CutOff.None) ? 0 : 1);
            }
        })));
        await done.CancelAsync();
        await Deadline.In(stepping);
        Assert.That(wrong, Is.Zero);
    }

    private void AssertEnds(Action<ExchangeClock> held)
    {
        var first = Serve(held);
        using var second = Next();
        Assert.That(second, Is.Not.SameAs(first));
        Assert.That(second.Reason, Is.EqualTo(CutOff.None));
    }

    private ExchangeClock Serve(Action<ExchangeClock> during)
    {
        using var clock = Next();
        during(clock);
        return clock;
    }

    private ExchangeClock Next() => _wheel.Begin(CancellationToken.None, new KeyHold(new KeySecret([1], null), null, state: 3));
}
