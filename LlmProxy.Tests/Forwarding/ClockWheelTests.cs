using LlmProxy.Core.Authentication;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

internal sealed class ClockWheelTests
{
    [Test]
    public void It_rests_when_nothing_is_watched_and_wakes_for_the_next()
    {
        var time = new HandTimer();
        using var wheel = new ClockWheel(time);
        Assert.That(time.Runs, Is.False);
        for (var round = 0; round < 3; round++)
        {
            var clock = new ExchangeClock(wheel, CancellationToken.None);
            Assert.That(time.Runs);
            Step(time, 1_000);
            Assert.That(time.Runs, "as long as something is watched");
            clock.Dispose();
            Assert.That(wheel.Watched, Is.Zero);
            Step(time, 19);
            Assert.That(time.Runs, "a little longer, for the next request");
            Step(time, 1);
            Assert.That(time.Runs, Is.False);
        }
    }

    [Test]
    public void Keys_that_nothing_has_happened_to_are_looked_past_without_allocating()
    {
        using var wheel = new ClockWheel(new HandTimer());
        var now = DateTimeOffset.UnixEpoch;
        var secret = new KeySecret([1], null);
        using var anonymous = new ExchangeClock(wheel, CancellationToken.None);
        using var lasting = new ExchangeClock(wheel, CancellationToken.None, new KeyHold(secret, null, state: 3));
        using var ending = new ExchangeClock(wheel, CancellationToken.None, new KeyHold(secret, now.AddSeconds(9), state: 3));
        using var former = new ExchangeClock(wheel, CancellationToken.None, new KeyHold(new KeySecret([2], now.AddSeconds(5)), now.AddSeconds(9), state: 3));
        Assert.That(wheel.FindKeysDue(3, now), Is.Null);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            wheel.FindKeysDue(3, now.AddSeconds(4));
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread(), Is.EqualTo(before));
        Assert.That(wheel.FindKeysDue(3, now.AddSeconds(5)), Is.EqualTo(new[] { former }));
        Assert.That(wheel.FindKeysDue(3, now.AddSeconds(9)), Is.EquivalentTo(new[] { ending, former }));
        Assert.That(wheel.FindKeysDue(4, now), Is.EquivalentTo(new[] { lasting, ending, former }), "some key has changed");
        lasting.Key.Renew(secret, null, state: 4);
        Assert.That(wheel.FindKeysDue(4, now), Is.EquivalentTo(new[] { ending, former }));
    }

    [Test]
    public void What_wakes_it_counts_from_now_and_not_from_its_last_step()
    {
        var time = new HandTimer();
        using var wheel = new ClockWheel(time);
        time.Advance(3_600_000);
        using var clock = new ExchangeClock(wheel, CancellationToken.None);
        clock.Begin(CutOff.FirstEvent, TimeSpan.FromSeconds(1));
        Step(time, 9);
        Assert.That(clock.Reason, Is.EqualTo(CutOff.None));
        Step(time, 1);
        Assert.That(clock.Reason, Is.EqualTo(CutOff.FirstEvent));
    }

    /// <summary>A step that sets off much takes longer than the time to the next, which comes on another thread.</summary>
    [Test]
    public async Task A_step_that_comes_within_another_does_no_harm()
    {
        var time = new HandTimer();
        using var wheel = new ClockWheel(time);
        var clocks = Enumerable.Range(0, 20).Select(_ => new ExchangeClock(wheel, CancellationToken.None)).ToList();
        clocks.ForEach(c => c.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(200)));
        Exception? within = null;
        clocks[0].Token.Register(() =>
        {
            time.Advance(100);
            var other = Task.Run(time.Tick);
            within = Record(() => other.Wait(Deadline.Default));
        });
        time.Advance(200);
        time.Tick();
        time.Tick();
        await Task.Yield();
        Assert.That(within, Is.Null);
        Assert.That(clocks.Select(c => c.Reason), Is.All.EqualTo(CutOff.FirstEvent));
        clocks.ForEach(c => c.Dispose());
        Assert.That(wheel.Watched, Is.Zero);
    }

    /// <summary>It runs on a thread of nobody's: an exception there ends the process.</summary>
    [Test]
    public void What_an_apps_own_callback_throws_stops_neither_the_wheel_nor_the_other_exchanges()
    {
        var time = new HandTimer();
        using var wheel = new ClockWheel(time);
        using var first = new ExchangeClock(wheel, CancellationToken.None);
        using var second = new ExchangeClock(wheel, CancellationToken.None);
        var (sleeper, reached) = (new CountingSleeper(), false);
        first.WatchQuiet(TimeSpan.Zero, sleeper);
        first.Token.Register(() => reached = true);
        first.Token.Register(() => { throw new InvalidOperationException("on purpose"); });
        first.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(100));
        second.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(100));
        Assert.That(() => Step(time, 2), Throws.Nothing);
        Assert.That((first.Reason, second.Reason, reached, sleeper.Wakes), Is.EqualTo((CutOff.FirstEvent, CutOff.FirstEvent, true, 1)));
    }

    /// <summary>Whoever waits for a token may be called back on the thread that cuts it off, and take any time there.</summary>
    [Test]
    public async Task What_a_step_sets_off_does_not_hold_up_the_thread_that_makes_the_steps()
    {
        using var wheel = new ClockWheel(TimeProvider.System);
        using var clock = new ExchangeClock(wheel, CancellationToken.None);
        var isPools = new TaskCompletionSource<bool>();
        clock.Token.Register(() => isPools.SetResult(Thread.CurrentThread.IsThreadPoolThread));
        clock.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(1));
        Assert.That(await Deadline.In(isPools.Task));
    }

    [Test]
    public void All_that_is_watched_is_cut_at_once_whatever_one_of_them_does()
    {
        using var wheel = new ClockWheel(new HandTimer());
        var clocks = Enumerable.Range(0, 10).Select(_ => new ExchangeClock(wheel, CancellationToken.None)).ToList();
        clocks[3].Token.Register(() => { throw new InvalidOperationException("on purpose"); });
        clocks[5].Token.Register(clocks[5].Dispose);
        wheel.CutAll(CutOff.Shutdown);
        Assert.That(clocks.Select(c => c.Reason), Is.All.EqualTo(CutOff.Shutdown));
        Assert.That(wheel.Watched, Is.EqualTo(9));
        clocks.Where((_, i) => i != 5).ToList().ForEach(c => c.Dispose());
        Assert.That(wheel.Watched, Is.Zero);
    }

    [Test]
    public async Task Clocks_that_come_and_go_on_many_threads_are_each_seen_and_none_is_left()
    {
        var time = new HandTimer();
        using var wheel = new ClockWheel(time);
        using var done = new CancellationTokenSource();
        var stepping = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                Step(time, 1);
            }
        });
        var missed = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                using var kept = new ExchangeClock(wheel, CancellationToken.None);
                using var cut = new ExchangeClock(wheel, CancellationToken.None);
                cut.Begin(CutOff.FirstEvent, TimeSpan.FromMilliseconds(100));
                missed += cut.Token.WaitHandle.WaitOne(Deadline.Default) && kept.Reason == CutOff.None ? 0 : 1;
            }
        })));
        await done.CancelAsync();
        await Deadline.In(stepping);
        Assert.That((missed, wheel.Watched), Is.EqualTo((0, 0)));
    }

    private static void Step(HandTimer time, int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            time.Advance(ClockWheel.StepMs);
            time.Tick();
        }
    }

    private static Exception? Record(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}
