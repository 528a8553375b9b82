using System.Buffers;
using LlmProxy.Core.Forwarding;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>Who comes to a shared call, who leaves it, and who answers for it.</summary>
[TestFixture]
internal sealed class SharedCallTests
{
    private ClockWheel _wheel = null!;
    private SharedCall _call = null!;
    private bool _isClosed;

    [SetUp]
    public void Make()
    {
        _wheel = new ClockWheel(TimeProvider.System);
        _call = new SharedCall(Asked.For("/chat/completions"), _wheel, TimeSpan.Zero);
        _isClosed = false;
        _call.OnClosed(() => _isClosed = true);
    }

    [TearDown]
    public void Drop()
    {
        _call.Dispose();
        _wheel.Dispose();
    }

    [Test]
    public void Who_leaves_before_it_is_known_who_pays_leaves_that_to_who_stays()
    {
        SharedPart first = Join("1")!;
        SharedPart second = Join("2")!;
        first.Dispose();
        Assert.That(second.Settle(isWhole: true), Is.Null);
        Assert.That(first.Settle(isWhole: false), Is.EqualTo("2"));
        second.Dispose();
    }

    [Test]
    public void Nobody_joins_between_the_last_who_leaves_and_the_end()
    {
        byte[] read = ArrayPool<byte>.Shared.Rent(16);
        using var upstream = new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Events, read, 5, Stream.Null);
        var answer = new SharedAnswer(upstream);
        SharedPart last = Join("1")!;
        last.Rest = answer.Open();
        Task leaving;
        SharedPart? late;
        lock (answer.Sync)
        {
            // It has left, and waits for this lock to give its reader back.
            leaving = Task.Run(last.Dispose);
            SpinWait.SpinUntil(() => _call.Parts == 0, 10_000);
            late = Join("2");
        }

        Assert.That(leaving.Wait(10_000));
        Assert.That((late, _isClosed), Is.EqualTo(((SharedPart?)null, true)));
    }

    private SharedPart? Join(string id) => _call.TryJoin(id, Asked.For("/chat/completions"));
}
