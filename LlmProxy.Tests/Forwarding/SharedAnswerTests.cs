using System.Buffers;
using System.IO.Pipelines;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>One answer, several readers, each at its own pace.</summary>
[TestFixture]
internal sealed class SharedAnswerTests
{
    private readonly byte[] _piece = new byte[64 * 1024];
    private ClockWheel _wheel = null!;
    private ExchangeClock _clock = null!;
    private Pipe _pipe = null!;
    private UpstreamAnswer _upstream = null!;
    private SharedAnswer _shared = null!;
    private int _closed;

    [SetUp]
    public void Open()
    {
        new Random(3).NextBytes(_piece);
        _wheel = new ClockWheel(TimeProvider.System);
        _clock = new ExchangeClock(_wheel, CancellationToken.None);
        _pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024, useSynchronizationContext: false));
        byte[] read = ArrayPool<byte>.Shared.Rent(16);
        "begin"u8.CopyTo(read);
        _upstream = new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Events, read, 5, _pipe.Reader.AsStream());
        _shared = new SharedAnswer(_upstream);
        _closed = 0;
    }

    [TearDown]
    public void Close()
    {
        _upstream.Dispose();
        _clock.Dispose();
        _wheel.Dispose();
    }

    [Test]
    public async Task A_reader_that_reads_nothing_slows_nobody_and_loses_the_answer_once_it_is_too_far_behind()
    {
        SharedStream fast = _shared.Open();
        SharedStream slow = _shared.Open();
        Task filling = _shared.FillAsync(_clock, () => _closed++).AsTask();
        long total = 5 + (200L * _piece.Length);
        Assert.That(total, Is.GreaterThan(SharedAnswer.MostKept));
        Task<long> reading = ReadAllAsync(fast);
        await WriteAsync(200);
        Assert.That(await Deadline.In(reading), Is.EqualTo(total));
        await Deadline.In(filling);
        SharedAnswerException lost = Assert.ThrowsAsync<SharedAnswerException>(() => ReadAsync(slow))!;
        Assert.That(lost.Error.Code, Is.EqualTo("shared_answer_lost"));
        Assert.That(_closed, Is.GreaterThan(0), "nobody joins what is not there from its beginning");
    }

    [Test]
    public async Task A_reader_that_is_not_too_far_behind_gets_every_byte()
    {
        SharedStream fast = _shared.Open();
        SharedStream slow = _shared.Open();
        Task filling = _shared.FillAsync(_clock, () => _closed++).AsTask();
        Task<long> reading = ReadAllAsync(fast);
        await WriteAsync(100);
        await Deadline.In(reading);
        await Deadline.In(filling);
        var all = new MemoryStream();
        await slow.CopyToAsync(all);
        byte[] expected = [.. "begin"u8, .. Enumerable.Repeat(_piece, 100).SelectMany(p => p)];
        Assert.That(all.ToArray().AsSpan().SequenceEqual(expected), Is.True);
    }

    [Test]
    public async Task The_upstream_is_read_no_further_ahead_than_the_fastest_needs()
    {
        SharedStream only = _shared.Open();
        Task filling = _shared.FillAsync(_clock, () => _closed++).AsTask();
        Task writing = WriteAsync(100);
        await Deadline.Until(() => _shared.End >= 256 * 1024);
        await Task.Delay(50);
        Assert.That(_shared.End, Is.LessThan(512 * 1024));
        Assert.That(writing.IsCompleted, Is.False);
        Assert.That(await Deadline.In(ReadAllAsync(only)), Is.EqualTo(5 + (100L * _piece.Length)));
        await Deadline.In(writing);
        await Deadline.In(filling);
    }

    [Test]
    public async Task A_wait_without_memory_ends_when_there_is_something_and_takes_nothing()
    {
        SharedStream reader = _shared.Open();
        Assert.That(await reader.ReadAsync(Memory<byte>.Empty), Is.Zero);
        byte[] buffer = new byte[10];
        Assert.That(await reader.ReadAsync(buffer), Is.EqualTo(5));
        ValueTask<int> waiting = reader.ReadAsync(Memory<byte>.Empty);
        Assert.That(waiting.IsCompleted, Is.False);
        Task filling = _shared.FillAsync(_clock, () => _closed++).AsTask();
        await _pipe.Writer.WriteAsync("more"u8.ToArray());
        Assert.That(await Deadline.In(waiting.AsTask()), Is.Zero);
        Assert.That(await reader.ReadAsync(buffer), Is.EqualTo(4));
        await _pipe.Writer.CompleteAsync();
        await Deadline.In(filling);
        Assert.That(await reader.ReadAsync(buffer), Is.Zero);
    }

    [Test]
    public async Task A_fault_comes_to_each_behind_all_that_came_before_it()
    {
        SharedStream first = _shared.Open();
        SharedStream second = _shared.Open();
        await _pipe.Writer.CompleteAsync(new IOException("broken"));
        await Deadline.In(_shared.FillAsync(_clock, () => _closed++).AsTask());
        foreach (SharedStream reader in (SharedStream[])[first, second])
        {
            Assert.That(await ReadAsync(reader), Is.EqualTo(5));
            Assert.ThrowsAsync<IOException>(() => ReadAsync(reader));
        }
    }

    [Test]
    public async Task A_reader_that_is_cancelled_leaves_the_others_theirs()
    {
        SharedStream first = _shared.Open();
        SharedStream second = _shared.Open();
        Task filling = _shared.FillAsync(_clock, () => _closed++).AsTask();
        using var source = new CancellationTokenSource();
        Assert.That(await ReadAsync(first), Is.EqualTo(5));
        Task<int> waiting = ReadAsync(first, source.Token);
        await source.CancelAsync();
        Assert.CatchAsync<OperationCanceledException>(() => waiting);
        await first.DisposeAsync();
        Task<long> reading = ReadAllAsync(second);
        await WriteAsync(1);
        Assert.That(await Deadline.In(reading), Is.EqualTo(5 + _piece.Length));
        await Deadline.In(filling);
    }

    private async Task WriteAsync(int pieces)
    {
        for (int i = 0; i < pieces; i++)
        {
            await _pipe.Writer.WriteAsync(_piece);
        }

        await _pipe.Writer.CompleteAsync();
    }

    private static async Task<int> ReadAsync(SharedStream reader, CancellationToken cancellation = default) => await reader.ReadAsync(new byte[10], cancellation);

    private static async Task<long> ReadAllAsync(SharedStream reader)
    {
        await Task.Yield();
        byte[] buffer = new byte[10_000];
        long total = 0;
        for (int count; (count = await reader.ReadAsync(buffer)) > 0;)
        {
            total += count;
        }

        return total;
    }
}
