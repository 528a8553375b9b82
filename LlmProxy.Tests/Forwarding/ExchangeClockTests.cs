using LlmProxy.Core.Forwarding;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>Each reason at its time, never before it, and at most two steps of the wheel later.</summary>
internal sealed class ExchangeClockTests
{
    private FakeTimeProvider _time = null!;
    private ClockWheel _wheel = null!;
    private ExchangeClock _clock = null!;
    private CancellationTokenSource _client = null!;

    [SetUp]
    public void Begin()
    {
        _time = new FakeTimeProvider();
        _wheel = new ClockWheel(_time);
        _client = new CancellationTokenSource();
        _clock = new ExchangeClock(_wheel, _client.Token);
    }

    [TearDown]
    public void End()
    {
        _clock.Dispose();
        Assert.That(_wheel.Watched, Is.Zero);
        _wheel.Dispose();
        _client.Dispose();
    }

    [TestCase("FirstEvent")]
    [TestCase("Response")]
    public void A_phase_ends_at_its_time(string phase)
    {
        _clock.Begin(Enum.Parse<CutOff>(phase), TimeSpan.FromSeconds(10));
        AssertCutAt(10_000, Enum.Parse<CutOff>(phase));
    }

    [Test]
    public void A_phase_that_has_ended_or_is_switched_off_cuts_nothing()
    {
        _clock.Begin(CutOff.FirstEvent, TimeSpan.FromSeconds(1));
        _clock.EndPhase();
        AssertNotCutFor(10_000);
        _clock.Begin(CutOff.Response, TimeSpan.Zero);
        _clock.LimitTotal(TimeSpan.Zero);
        _clock.WatchIdle(TimeSpan.Zero);
        _clock.WatchReader(TimeSpan.Zero);
        _clock.BeginWaitForReader();
        AssertNotCutFor(3_600_000);
    }

    [Test]
    public void A_new_phase_takes_the_place_of_the_one_before()
    {
        _clock.Begin(CutOff.FirstEvent, TimeSpan.FromSeconds(1));
        AssertNotCutFor(900);
        _clock.Begin(CutOff.Response, TimeSpan.FromSeconds(1));
        AssertCutAt(1_000, CutOff.Response);
    }

    [Test]
    public void The_total_is_counted_from_its_start_whatever_is_read()
    {
        _clock.LimitTotal(TimeSpan.FromSeconds(2));
        _clock.WatchIdle(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 19; i++)
        {
            AssertNotCutFor(100);
            _clock.Touch();
        }

        AssertCutAt(100, CutOff.Total);
    }

    [Test]
    public void Silence_between_reads_is_counted_from_the_last_one_and_heartbeats_do_not_count()
    {
        _clock.WatchIdle(TimeSpan.FromSeconds(1));
        AssertNotCutFor(900);
        _clock.Touch();
        AssertNotCutFor(900);
        _clock.TouchQuiet();
        AssertCutAt(100, CutOff.Idle);
    }

    [Test]
    public void While_the_client_is_waited_for_the_upstream_is_not_silent()
    {
        _clock.WatchIdle(TimeSpan.FromSeconds(1));
        _clock.WatchReader(TimeSpan.FromSeconds(5));
        _clock.BeginWaitForReader();
        AssertNotCutFor(4_900);
        _clock.EndWaitForReader();
        _clock.Touch();
        AssertNotCutFor(900);
        AssertCutAt(100, CutOff.Idle);
    }

    [Test]
    public void A_client_that_takes_nothing_is_cut()
    {
        _clock.WatchReader(TimeSpan.FromSeconds(5), new object(), static _ => 1_000);
        _clock.BeginWaitForReader();
        AssertCutAt(5_000, CutOff.StalledReader);
    }

    [Test]
    public void Where_nobody_knows_what_a_client_takes_it_is_cut_when_it_is_waited_for_too_long()
    {
        _clock.WatchReader(TimeSpan.FromSeconds(5));
        _clock.BeginWaitForReader();
        AssertCutAt(5_000, CutOff.StalledReader);
    }

    [Test]
    public void A_client_that_takes_a_byte_now_and_then_is_never_cut()
    {
        long taken = 0;
        _clock.WatchReader(TimeSpan.FromSeconds(5), new object(), _ => taken);
        _clock.BeginWaitForReader();
        for (var i = 0; i < 100; i++)
        {
            AssertNotCutFor(4_900);
            taken++;
        }

        AssertCutAt(10_000, CutOff.StalledReader);
    }

    [Test]
    public void Waits_for_a_client_are_not_added_up()
    {
        _clock.WatchReader(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 50; i++)
        {
            _clock.BeginWaitForReader();
            AssertNotCutFor(900);
            _clock.EndWaitForReader();
        }

        AssertNotCutFor(10_000);
    }

    [Test]
    public void A_heartbeat_is_due_after_silence_and_again_as_long_as_it_lasts()
    {
        var sleeper = new CountingSleeper();
        _clock.WatchQuiet(TimeSpan.FromSeconds(1), sleeper);
        for (var beat = 1; beat <= 5; beat++)
        {
            AssertNotCutFor(900);
            Assert.That((sleeper.Wakes, _clock.IsQuiet), Is.EqualTo((beat - 1, false)));
            AssertNotCutFor(100);
            Assert.That((sleeper.Wakes, _clock.IsQuiet), Is.EqualTo((beat, true)));
            _clock.TouchQuiet();
            Assert.That(_clock.IsQuiet, Is.False);
        }

        _clock.Touch();
        AssertNotCutFor(900);
        Assert.That(sleeper.Wakes, Is.EqualTo(5));
    }

    [Test]
    public void A_heartbeat_that_was_not_sent_is_asked_for_again()
    {
        var sleeper = new CountingSleeper();
        _clock.WatchQuiet(TimeSpan.FromSeconds(1), sleeper);
        AssertNotCutFor(1_300);
        Assert.That(sleeper.Wakes, Is.EqualTo(4));
    }

    [Test]
    public void A_client_that_goes_cuts_at_once_and_wakes_the_sleeper()
    {
        var sleeper = new CountingSleeper();
        _clock.WatchQuiet(TimeSpan.Zero, sleeper);
        _client.Cancel();
        Assert.That((_clock.Reason, _clock.Token.IsCancellationRequested, sleeper.Wakes), Is.EqualTo((CutOff.ClientGone, true, 1)));
    }

    [Test]
    public void The_first_reason_stays()
    {
        _clock.Begin(CutOff.FirstEvent, TimeSpan.FromSeconds(1));
        _clock.Cut(CutOff.Shutdown);
        _clock.Cut(CutOff.Idle);
        _client.Cancel();
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(_clock.Reason, Is.EqualTo(CutOff.Shutdown));
    }

    [Test]
    public void One_that_has_ended_is_not_cut_any_more()
    {
        var ended = new ExchangeClock(_wheel, _client.Token);
        ended.Begin(CutOff.FirstEvent, TimeSpan.FromSeconds(1));
        ended.Dispose();
        _time.Advance(TimeSpan.FromSeconds(10));
        _client.Cancel();
        Assert.That(ended.Reason, Is.EqualTo(CutOff.None));
        Assert.That(() => ended.Cut(CutOff.Shutdown), Throws.Nothing);
    }

    private void AssertNotCutFor(int milliseconds)
    {
        for (var passed = 0; passed < milliseconds; passed += ClockWheel.StepMs)
        {
            _time.Advance(TimeSpan.FromMilliseconds(ClockWheel.StepMs));
            if (_clock.Reason != CutOff.None)
            {
                Assert.Fail($"Cut for {_clock.Reason} after {passed + ClockWheel.StepMs} ms.");
            }
        }
    }

    private void AssertCutAt(int milliseconds, CutOff reason)
    {
        AssertNotCutFor(milliseconds - ClockWheel.StepMs);
        _time.Advance(TimeSpan.FromMilliseconds(2 * ClockWheel.StepMs));
        Assert.That((_clock.Reason, _clock.Token.IsCancellationRequested), Is.EqualTo((reason, true)));
    }
}
