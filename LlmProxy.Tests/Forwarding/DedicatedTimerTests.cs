using LlmProxy.Core;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>A timer with a thread of its own.</summary>
internal sealed class DedicatedTimerTests
{
    private static readonly TimeSpan _soon = TimeSpan.FromMilliseconds(1);

    [Test]
    public async Task All_steps_are_made_by_one_thread_that_is_not_the_pools()
    {
        var threads = new List<(int Id, string? Name, bool IsPools)>();
        var third = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var timer = DedicatedTimer.Create(TimeProvider.System, "steps", () =>
        {
            threads.Add((Environment.CurrentManagedThreadId, Thread.CurrentThread.Name, Thread.CurrentThread.IsThreadPoolThread));
            if (threads.Count == 3)
            {
                third.SetResult();
            }
        });
        timer.Change(_soon, _soon);
        await Deadline.In(third.Task);
        timer.Dispose();
        Assert.That(threads.Take(3).Distinct().Select(t => (t.Name, t.IsPools)), Is.EqualTo(new[] { ("steps", false) }));
    }

    [Test]
    public async Task It_is_set_anew_from_its_own_step_and_from_elsewhere_while_it_rests()
    {
        using var step = new SemaphoreSlim(0);
        ITimer timer = null!;
        await using var own = timer = DedicatedTimer.Create(TimeProvider.System, "steps", () =>
        {
            timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            step.Release();
        });
        for (var i = 0; i < 3; i++)
        {
            // It is in a rest without an end, or has not begun.
            Assert.That(timer.Change(_soon, _soon));
            Assert.That(await step.WaitAsync(Deadline.Default));
        }
    }

    [Test]
    public async Task Its_thread_ends_with_it()
    {
        Thread? thread = null;
        using var stepped = new ManualResetEventSlim();
        var timer = DedicatedTimer.Create(TimeProvider.System, "steps", () =>
        {
            thread = Thread.CurrentThread;
            stepped.Set();
        });
        timer.Change(_soon, Timeout.InfiniteTimeSpan);
        Assert.That(stepped.Wait(Deadline.Default));
        timer.Dispose();
        timer.Dispose();
        Assert.That(timer.Change(_soon, _soon), Is.False);
        await Deadline.Until(() => !thread!.IsAlive, what: "the end of the thread");

        var never = DedicatedTimer.Create(TimeProvider.System, "never", static () => Assert.Fail("a step"));
        never.Dispose();
        Assert.That(never.Change(_soon, _soon), Is.False);
    }

    [Test]
    public void With_another_clock_it_is_that_clocks()
    {
        var time = new HandTimer();
        var steps = 0;
        using var timer = DedicatedTimer.Create(time, "steps", () => steps++);
        timer.Change(_soon, _soon);
        time.Tick();
        Assert.That((time.Runs, steps), Is.EqualTo((true, 1)));
    }
}
