using LlmProxy.Core.Admission;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

public sealed class ConcurrencyGateTests
{
    [Test]
    public void Of_those_who_come_at_the_same_moment_exactly_as_many_get_in_as_there_is_room_for()
    {
        const int Rounds = 100_000;
        var gate = new ConcurrencyGate();
        int entered = 0;
        using var together = new Barrier(3, _ =>
        {
            // Between two rounds: none of them runs.
            Assert.That((entered, gate.Inside), Is.EqualTo((2, 2)));
            entered = 0;
            gate.Leave();
            gate.Leave();
        });

        void Come()
        {
            for (int round = 0; round < Rounds; round++)
            {
                if (gate.TryEnter(2))
                {
                    Interlocked.Increment(ref entered);
                }

                together.SignalAndWait();
            }
        }

        Assert.That(async () => await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(Come, TaskCreationOptions.LongRunning))), Throws.Nothing);
    }

    [Test]
    public async Task Who_is_refused_is_never_inside_and_keeps_nobody_out()
    {
        var gate = new ConcurrencyGate();
        gate.TryEnter(0);
        using var over = new CancellationTokenSource();
        Task<bool> refused = Task.Factory.StartNew(
            () =>
            {
                bool entered = false;
                while (!over.IsCancellationRequested)
                {
                    entered |= gate.TryEnter(1);
                }

                return entered;
            },
            TaskCreationOptions.LongRunning);

        // For them there is room for one more, and nobody but the refused comes meanwhile.
        int keptOut = 0;
        for (int i = 0; i < 1_000_000; i++)
        {
            if (gate.TryEnter(2))
            {
                gate.Leave();
            }
            else
            {
                keptOut++;
            }
        }

        await over.CancelAsync();
        Assert.That((await refused, keptOut, gate.Inside), Is.EqualTo((false, 0, 1)));
    }

    [Test]
    public void Without_a_limit_and_after_one_was_lowered_nobody_is_forgotten()
    {
        var gate = new ConcurrencyGate();
        Assert.That(Enumerable.Range(0, 5).All(_ => gate.TryEnter(0)));
        Assert.That(gate.TryEnter(5), Is.False, "those who came while there was no limit are inside");
        gate.Leave();
        Assert.That((gate.TryEnter(4), gate.TryEnter(5), gate.Inside), Is.EqualTo((false, true, 5)));
    }
}
