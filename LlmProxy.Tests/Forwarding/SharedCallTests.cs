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
        Assert.That(second.Settle(isWhole: true).PaidBy, Is.Null);
        Assert.That(first.Settle(isWhole: false).PaidBy, Is.EqualTo("2"));
        second.Dispose();
    }

    [Test]
    public void The_first_that_had_all_of_it_pays_and_not_who_hardly_reads_and_leaves()
    {
        SharedPart slow = Join("1")!;
        SharedPart fast = Join("2")!;
        SharedPart other = Join("3")!;
        Assert.That(fast.Settle(isWhole: true).PaidBy, Is.Null);
        Assert.That(other.Settle(isWhole: true).PaidBy, Is.EqualTo("2"));
        Assert.That(slow.Settle(isWhole: false).PaidBy, Is.EqualTo("2"));
        Assert.That(fast.Settle(isWhole: false).PaidBy, Is.Null, "what was said first counts");
    }

    [Test]
    public void Who_leaves_last_pays_for_the_most_that_anybody_was_sent()
    {
        SharedPart first = Join("1")!;
        SharedPart second = Join("2")!;
        Assert.That(first.Settle(isWhole: false, new SharedRelay(4000, 900)).PaidBy, Is.EqualTo("2"));
        SharedEnd last = second.Settle(isWhole: false, new SharedRelay(8, 2));
        Assert.That((last.PaidBy, last.Relayed), Is.EqualTo(((string?)null, new SharedRelay(4000, 900))));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Who_leaves_before_it_has_read_all_that_came_pays_for_nobody_who_stays(bool isBroken)
    {
        SharedPart first = Join("1")!;
        SharedPart second = Join("2")!;
        using var upstream = new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Events, ArrayPool<byte>.Shared.Rent(16), 5, isBroken ? new BrokenStream() : Stream.Null);
        var answer = new SharedAnswer(upstream);
        _call.Commit(answer);
        using var clock = new ExchangeClock(_wheel, CancellationToken.None);
        await answer.FillAsync(clock, () => { });
        Assert.That((answer.IsOver, answer.Fault is not null), Is.EqualTo((true, isBroken)));
        Assert.That(await second.Rest!.ReadAsync(new byte[16]), Is.EqualTo(5));
        Assert.That(first.Settle(isWhole: false).PaidBy, Is.EqualTo("2"), "the upstream has ended, and the other still reads");
        Assert.That(second.Settle(isWhole: !isBroken).PaidBy, Is.Null);
        first.Dispose();
        second.Dispose();
    }

    [Test]
    public async Task Who_has_all_of_an_answer_that_broke_pays_and_not_who_is_behind()
    {
        SharedPart first = Join("1")!;
        SharedPart second = Join("2")!;
        using var upstream = new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Events, ArrayPool<byte>.Shared.Rent(16), 5, new BrokenStream());
        var answer = new SharedAnswer(upstream);
        _call.Commit(answer);
        using var clock = new ExchangeClock(_wheel, CancellationToken.None);
        await answer.FillAsync(clock, () => { });
        Assert.That(await second.Rest!.ReadAsync(new byte[16]), Is.EqualTo(5));
        Assert.That(second.Settle(isWhole: false).PaidBy, Is.Null);
        Assert.That(first.Settle(isWhole: false).PaidBy, Is.EqualTo("2"));
        first.Dispose();
        second.Dispose();
    }

    /// <summary>Nothing of it is left to be done later: of two that end at once each would else take the other for who pays.</summary>
    [Test]
    public void Of_two_that_leave_exactly_one_pays_because_who_that_is_is_settled_in_one_step()
    {
        SharedPart first = Join("1")!;
        SharedPart second = Join("2")!;
        SharedEnd[] ends = [_call.Settle(first, isWhole: false, default), _call.Settle(second, isWhole: false, default)];
        Assert.That(ends.Select(end => end.PaidBy), Is.EqualTo(new[] { "2", null }));
        Assert.That((first.End, second.End), Is.EqualTo((ends[0], ends[1])));
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

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromException<int>(new IOException("reset"));
    }

    private SharedPart? Join(string id) => _call.TryJoin(id, Asked.For("/chat/completions"));
}
