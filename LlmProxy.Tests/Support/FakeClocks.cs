using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Support;

/// <summary>Moves a clock that stands still by itself.</summary>
public static class FakeClocks
{
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(5);

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
            await Task.WhenAny(until, Task.Delay(20));
        }

        return passed;
    }
}
