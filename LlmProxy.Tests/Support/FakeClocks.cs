using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>Moves a clock that stands still by itself.</summary>
public static class FakeClocks
{
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Moves it in steps until it is done. What falls due with a step has a moment of real time to be done in; a machine that needs
    /// longer gets another step, so that the moment decides how long a test takes and not what comes of it.
    /// </summary>
    /// <param name="clock">The clock.</param>
    /// <param name="done">What is waited for; what it ends in is the caller's to look at.</param>
    /// <param name="step">How far it moves at a time.</param>
    /// <param name="momentMs">Longer where so many steps would reach something else that is due later.</param>
    /// <param name="most">So many steps at the most.</param>
    public static async Task AdvanceUntilAsync(this FakeTimeProvider clock, Task done, TimeSpan step, int momentMs = 20, int most = 400)
    {
        ArgumentNullException.ThrowIfNull(clock);
        for (int i = 0; i < most && !done.IsCompleted; i++)
        {
            clock.Advance(step);
            await Task.WhenAny(done, Task.Delay(momentMs));
        }

        await Task.WhenAny(done, Task.Delay(Deadline.Default));
        Assert.That(done.IsCompleted, $"done, though the clock was moved {most} times by {step}");
    }

    /// <summary>The same for what is looked at.</summary>
    public static async Task AdvanceUntilAsync(this FakeTimeProvider clock, Func<bool> isDone, TimeSpan step, int most = 400)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(isDone);
        for (int i = 0; i < most && !isDone(); i++)
        {
            clock.Advance(step);
            await Deadline.TryUntil(isDone, s_moment);
        }
    }

    /// <summary>Moves it in steps until something has happened or so much time has passed.</summary>
    /// <returns>How much that was.</returns>
    public static async Task<TimeSpan> AdvanceAsync(this FakeTimeProvider clock, Task until, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(until);
        TimeSpan passed = TimeSpan.Zero;
        for (; !until.IsCompleted && passed < limit; passed += s_step)
        {
            clock.Advance(s_step);
            await Task.WhenAny(until, Task.Delay(s_moment));
        }

        return passed;
    }
}
