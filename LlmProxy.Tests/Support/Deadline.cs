using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace LlmProxy.Tests.Support;

/// <summary>Waiting for conditions, never for luck: what does not come in time is a failure that says what was waited for.</summary>
public static class Deadline
{
    /// <summary>Generous, because it only matters when something is wrong.</summary>
    public static TimeSpan Default { get; } = TimeSpan.FromSeconds(20);

    public static CancellationTokenSource Source() => new(Default);

    public static async Task<T> In<T>(Task<T> task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        await In((Task)task, what);
        return await task;
    }

    public static async Task In(Task task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        try
        {
            await task.WaitAsync(Default);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw new TimeoutException($"Not within {Default.TotalSeconds} s: {what}");
        }
    }

    /// <summary>Looks until it is true.</summary>
    public static async Task Until(Func<bool> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        if (!await TryUntil(condition, within ?? Default))
        {
            throw new TimeoutException($"Not within {(within ?? Default).TotalSeconds} s: {what}");
        }
    }

    public static async Task<bool> TryUntil(Func<bool> condition, TimeSpan within)
    {
        long started = Stopwatch.GetTimestamp();
        for (int looks = 0; !condition(); looks++)
        {
            if (Stopwatch.GetElapsedTime(started) > within)
            {
                return condition();
            }

            await (looks < 50 ? YieldAsync() : Task.Delay(5));
        }

        return true;
    }

    private static async Task YieldAsync() => await Task.Yield();
}
