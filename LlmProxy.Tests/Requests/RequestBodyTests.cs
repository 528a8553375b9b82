using System.Buffers;
using System.IO.Pipelines;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Requests;

/// <summary>The server's buffers go back once, when the last who reads them has ended, and not a moment earlier.</summary>
internal sealed class RequestBodyTests
{
    private static readonly ReadOnlySequence<byte> _bytes = new("{\"model\":\"m\"}"u8.ToArray());

    [Test]
    public void The_last_holder_gives_the_buffers_back()
    {
        var server = new Server();
        var body = new RequestBody(_bytes, server);
        Assert.That(body.TryHold());
        body.Release();
        Assert.That(server.GivenBack, Is.Zero);
        body.Release();
        Assert.That(server.GivenBack, Is.EqualTo(1));
        Assert.That(body.TryHold(), Is.False, "nobody comes after the last");
        Assert.That(server.GivenBack, Is.EqualTo(1));
    }

    [Test]
    public void Once_given_back_it_keeps_nothing_but_its_length()
    {
        var body = new RequestBody(_bytes, null);
        body.End();
        Assert.That((body.Bytes.IsEmpty, body.Length), Is.EqualTo((true, _bytes.Length)));
    }

    [Test]
    public void The_exchange_ends_it_once_however_often_it_says_so()
    {
        var server = new Server();
        var body = new RequestBody(_bytes, server);
        Assert.That(body.TryHold());
        body.End();
        body.End();
        Assert.That(body.EndAsync().IsCompleted, Is.False);
        Assert.That(server.GivenBack, Is.Zero);
        body.Release();
        Assert.That(server.GivenBack, Is.EqualTo(1));
        Assert.That(body.EndAsync().IsCompletedSuccessfully);
    }

    /// <summary>The server goes on to the next request as soon as the exchange has ended.</summary>
    [Test]
    public async Task The_end_comes_after_the_buffers_were_given_back()
    {
        using var server = new Server { Blocks = true };
        var body = new RequestBody(_bytes, server);
        body.TryHold();
        body.End();
        var releasing = Task.Run(body.Release);
        await Deadline.In(server.Entered);
        var end = body.EndAsync();
        Assert.That(end.IsCompleted, Is.False, "the last holder is still giving them back");
        server.Unblock();
        await Deadline.In(end);
        await Deadline.In(releasing);
        Assert.That(server.GivenBack, Is.EqualTo(1));
    }

    [Test]
    public async Task Holders_that_come_and_go_on_many_threads_leave_one_return()
    {
        for (var round = 0; round < 2_000; round++)
        {
            var server = new Server();
            var budget = new BodyBudget();
            budget.TryTake(10, 10);
            var body = new RequestBody(_bytes, server, budget, 10);
            var refused = 0;
            var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                for (var i = 0; i < 5; i++)
                {
                    if (!body.TryHold())
                    {
                        Interlocked.Increment(ref refused);
                        continue;
                    }

                    Assume.That(server.GivenBack, Is.Zero, "held, and given back all the same");
                    body.Release();
                }
            })).ToArray();
            await Deadline.In(body.EndAsync());
            Assert.That((server.GivenBack, budget.Taken), Is.EqualTo((1, 0L)));
            await Deadline.In(Task.WhenAll(readers));
            Assert.That(server.GivenBack, Is.EqualTo(1));
        }
    }

    private sealed class Server : PipeReader, IDisposable
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _gate = new();
        private int _givenBack;

        public bool Blocks { get; init; }

        public int GivenBack => Volatile.Read(ref _givenBack);

        public Task Entered => _entered.Task;

        public void Unblock() => _gate.Set();

        public override void AdvanceTo(SequencePosition consumed)
        {
            _entered.TrySetResult();
            if (Blocks)
            {
                _gate.Wait(Deadline.Default);
            }

            Interlocked.Increment(ref _givenBack);
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => AdvanceTo(consumed);

        public override void CancelPendingRead()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override bool TryRead(out ReadResult result) => throw new NotSupportedException();

        public void Dispose() => _gate.Dispose();
    }
}
