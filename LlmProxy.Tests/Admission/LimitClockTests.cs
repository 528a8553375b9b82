using LlmProxy.Core.Admission;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

internal sealed class LimitClockTests
{
    // More than any system's coarse clock is behind.
    private static readonly TimeSpan _coarse = TimeSpan.FromMilliseconds(20);

    [Test]
    public void It_is_a_moment_apart_from_the_wall_at_most_and_does_not_go_back()
    {
        var clock = new LimitClock(TimeProvider.System);
        var end = TimeProvider.System.GetUtcNow().AddMilliseconds(350);
        long second = 0, ticks = 0, readings = 0, late = 0;
        for (DateTimeOffset before = default; before < end; readings++)
        {
            before = TimeProvider.System.GetUtcNow();
            Instant now = clock.Now();
            Assert.That(now.Ticks, Is.LessThanOrEqualTo((TimeProvider.System.GetUtcNow() + _coarse).UtcTicks));
            Assert.That(now.Second, Is.GreaterThanOrEqualTo(second));
            Assert.That(now.Ticks, Is.GreaterThanOrEqualTo(ticks));
            (second, ticks) = (now.Second, now.Ticks);
            late += before.UtcTicks - now.Ticks > _coarse.Ticks ? 1 : 0;
        }

        // Some may be, if the machine stopped just when both clocks were read.
        Assert.That(late, Is.LessThan(readings / 2));
    }

    [TestCase(100, 100)]
    [TestCase(140, 140)]
    [TestCase(51, 100, Description = "a moment behind: not a step back")]
    [TestCase(-3_600_000, -3_600_000, Description = "put right by an hour")]
    public void What_the_wall_says_is_followed_but_for_a_moment_back(long wall, long told)
    {
        var last = new LimitClock.Reading(1000, TimeSpan.TicksPerDay);
        LimitClock.Reading next = LimitClock.Reading.Following(last, 1100, TimeSpan.TicksPerDay + (wall * TimeSpan.TicksPerMillisecond));
        Assert.That(next, Is.EqualTo(new LimitClock.Reading(1100, TimeSpan.TicksPerDay + (told * TimeSpan.TicksPerMillisecond))));
    }

    [Test]
    public void Another_clock_than_the_systems_is_asked_itself()
    {
        var time = new FakeTimeProvider();
        var clock = new LimitClock(time);
        Instant before = clock.Now();
        time.Advance(TimeSpan.FromMilliseconds(86_400_001));
        Instant after = clock.Now();
        Assert.That((after.Second - before.Second, after.Ticks - before.Ticks), Is.EqualTo((86_400L, 864_000_010_000L)));
    }
}
