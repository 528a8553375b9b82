using LlmProxy.Host.Serving;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The collection that stops everything happens when hardly anybody is kept waiting by it.</summary>
internal sealed class QuietStepsTests
{
    private const int QuietSeconds = 10;
    private const long Megabyte = 1024 * 1024;

    // What a process does without a request: the ticks of its clocks.
    private static readonly TimeSpan _housekeeping = TimeSpan.FromMilliseconds(3);

    private QuietSteps _steps = null!;
    private long _allocated;
    private TimeSpan _used;

    [SetUp]
    public void Begin()
    {
        (_allocated, _used) = (20 * Megabyte, TimeSpan.FromMilliseconds(60));
        _steps = new QuietSteps(_allocated, _used);
    }

    [Test]
    public void Some_quiet_seconds_after_a_burst_it_is_time_for_it()
    {
        Assert.That(Second(100 * Megabyte, TimeSpan.FromMilliseconds(900)), Is.False, "in the burst");

        Assert.That(Seconds(4), Is.EqualTo(new[] { false, false, true, true }));
    }

    [Test]
    public void Without_a_burst_it_never_is() => Assert.That(Seconds(QuietSeconds), Has.None.True);

    [Test]
    public void Once_it_has_happened_it_takes_another_burst()
    {
        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));
        Seconds(3);
        _steps.Begin(_allocated, _used);

        Assert.That(Seconds(QuietSeconds), Has.None.True, "nothing has happened since");

        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));
        Assert.That(Seconds(3), Is.EqualTo(new[] { false, false, true }));
    }

    [Test]
    public void Streams_whose_events_allocate_nothing_are_not_stopped_by_it()
    {
        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));

        for (var i = 0; i < QuietSeconds; i++)
        {
            Assert.That(Second(Megabyte / 10, TimeSpan.FromMilliseconds(500)), Is.False, "20,000 events have passed");
        }

        Assert.That(Seconds(3), Is.EqualTo(new[] { false, false, true }), "then the streams have ended");
    }

    [Test]
    public void Thousands_of_streams_that_wait_with_an_event_now_and_then_are_quiet()
    {
        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));

        var last = false;
        for (var i = 0; i < 3; i++)
        {
            last = Second(Megabyte / 10, TimeSpan.FromMilliseconds(110));
        }

        Assert.That(last);
    }

    [Test]
    public void Requests_that_come_and_go_are_not_stopped_by_it()
    {
        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));

        for (var i = 0; i < QuietSeconds; i++)
        {
            Assert.That(Second(2 * Megabyte, TimeSpan.FromMilliseconds(40)), Is.False);
        }
    }

    [Test]
    public void A_moment_with_something_to_do_begins_the_wait_again()
    {
        Second(100 * Megabyte, TimeSpan.FromMilliseconds(900));
        Seconds(2);
        Second(0, TimeSpan.FromMilliseconds(300));

        Assert.That(Seconds(3), Is.EqualTo(new[] { false, false, true }));
    }

    private bool Second(long allocated, TimeSpan used)
    {
        _allocated += allocated;
        _used += used;
        return _steps.Pass(_allocated, _used);
    }

    private bool[] Seconds(int count) => [.. Enumerable.Range(0, count).Select(_ => Second(0, _housekeeping))];
}
