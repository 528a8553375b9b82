using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

internal sealed class QuietWaitTests
{
    [Test]
    public async Task It_sleeps_until_what_it_waits_for_has_completed()
    {
        var wait = new QuietWait();
        wait.Begin();
        var sleep = wait.SleepAsync().AsTask();
        Assert.That(sleep.IsCompleted, Is.False);
        wait.OnCompleted();
        await Deadline.In(sleep);
        Assert.That(wait.HasCompleted);
    }

    [Test]
    public async Task What_completed_before_the_sleep_is_not_slept_through()
    {
        var wait = new QuietWait();
        wait.Begin();
        wait.OnCompleted();
        var sleep = wait.SleepAsync();
        Assert.That(sleep.IsCompleted);
        await sleep;
        wait.Begin();
        Assert.That(wait.HasCompleted, Is.False);
    }

    [Test]
    public async Task A_wake_ends_one_sleep_and_completes_nothing()
    {
        var wait = new QuietWait();
        wait.Begin();
        for (var i = 0; i < 3; i++)
        {
            var sleep = wait.SleepAsync().AsTask();
            wait.Wake();
            await Deadline.In(sleep);
            Assert.That(wait.HasCompleted, Is.False);
        }
    }

    [Test]
    public void A_wake_while_nobody_sleeps_is_forgotten()
    {
        var wait = new QuietWait();
        wait.Wake();
        wait.Begin();
        Assert.That(wait.SleepAsync().AsTask().IsCompleted, Is.False);
    }

    /// <summary>The reader completes on one thread while the wheel wakes on another: no sleep is missed, none ends twice.</summary>
    [TestCase(true, TestName = "{m}(with wakes)")]
    [TestCase(false, TestName = "{m}(without)")]
    public async Task Completion_and_wakes_from_other_threads_at_any_moment_lose_nothing(bool wakesUp)
    {
        const int Rounds = 20_000;
        var wait = new QuietWait();
        using var done = new CancellationTokenSource();
        long wakes = 0;
        var waker = Task.Run(() =>
        {
            while (wakesUp && !done.IsCancellationRequested)
            {
                wait.Wake();
                Thread.SpinWait(40);
            }
        });
        var rounds = Task.Run(async () =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                wait.Begin();
                ThreadPool.UnsafeQueueUserWorkItem(static w => w.OnCompleted(), wait, preferLocal: (i & 1) == 0);
                while (!wait.HasCompleted)
                {
                    await wait.SleepAsync();
                    wakes += wait.HasCompleted ? 0 : 1;
                }
            }
        });
        await Deadline.In(rounds);
        await done.CancelAsync();
        await Deadline.In(waker);
        TestContext.Out.WriteLine($"{wakes} sleeps were ended by a wake");
    }

    [Test]
    public async Task A_wait_costs_no_memory()
    {
        var wait = new QuietWait();
        await SleepAndComplete(wait, 100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        await SleepAndComplete(wait, 1_000);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        static ValueTask SleepAndComplete(QuietWait wait, int times)
        {
            for (var i = 0; i < times; i++)
            {
                wait.Begin();
                var sleep = wait.SleepAsync();
                wait.OnCompleted();
                sleep.GetAwaiter().GetResult();
            }

            return default;
        }
    }
}
