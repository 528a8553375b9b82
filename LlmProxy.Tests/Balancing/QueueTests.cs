using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

[Category("L07")]
internal sealed class QueueTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _served = [];

    [Test]
    public async Task Callers_take_turns_and_each_callers_requests_keep_their_order()
    {
        var places = new Core.Balancing.Places(1, new QueueOptions(), _time);
        Assert.That(places.TryEnter(), Is.True);
        var waiting = new[] { "a1", "a2", "a3", "a4", "b1", "c1", "b2" }.Select(name => ServeAsync(places, name)).ToArray();
        for (var i = 0; i < waiting.Length; i++)
        {
            places.Exit();
            await Support.Deadline.Until(() => _served.Count == i + 1);
        }

        await Task.WhenAll(waiting);
        places.Exit();
        Assert.That(_served, Is.EqualTo(new[] { "a1", "b1", "c1", "a2", "b2", "a3", "a4" }));
        Assert.That((places.Taken, places.Waiting), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task Who_leaves_or_waits_too_long_gives_up_its_turn_and_holds_nothing()
    {
        var places = new Core.Balancing.Places(1, new QueueOptions { Requests = 3, Wait = TimeSpan.FromSeconds(5) }, _time);
        places.TryEnter();
        using var gone = new CancellationTokenSource();
        var leaves = places.EnterAsync("a", gone.Token).AsTask();
        var late = places.EnterAsync("b", CancellationToken.None).AsTask();
        await gone.CancelAsync();
        Assert.CatchAsync<OperationCanceledException>(() => leaves);
        _time.Advance(TimeSpan.FromSeconds(3));
        var patient = places.EnterAsync("c", CancellationToken.None).AsTask();
        _time.Advance(TimeSpan.FromSeconds(2.5));
        Assert.That(await late, Is.EqualTo(PlaceWait.TimedOut));
        Assert.That(patient.IsCompleted, Is.False);
        places.Exit();
        Assert.That(await patient, Is.EqualTo(PlaceWait.Entered));
        Assert.That((places.Taken, places.Waiting), Is.EqualTo((1, 0)));
        places.Exit();
        Assert.That(places.Taken, Is.Zero);
    }

    [Test]
    public async Task A_full_queue_says_so_at_once_and_nobody_overtakes_it()
    {
        var places = new Core.Balancing.Places(1, new QueueOptions { Requests = 1 }, _time);
        places.TryEnter();
        var first = places.EnterAsync("a", CancellationToken.None).AsTask();
        Assert.That(await places.EnterAsync("b", CancellationToken.None), Is.EqualTo(PlaceWait.QueueFull));
        places.Exit();
        Assert.That(await first, Is.EqualTo(PlaceWait.Entered));
        Assert.That(places.IsFull, Is.True);
        Assert.That(places.TryEnter(), Is.False);
    }

    [Test]
    public async Task Whatever_comes_together_no_place_is_lost_or_given_twice()
    {
        var places = new Core.Balancing.Places(4, new QueueOptions { Requests = 50, Wait = TimeSpan.FromMilliseconds(2) }, TimeProvider.System);
        var there = 0;
        var most = 0;
        await Task.WhenAll(Enumerable.Range(0, 2_000).Select(i => Task.Run(async () =>
        {
            using var source = new CancellationTokenSource();
            if (i % 5 == 0)
            {
                source.CancelAfter(1);
            }

            try
            {
                if (await places.EnterAsync($"caller{i % 7}", source.Token) != PlaceWait.Entered)
                {
                    return;
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            var now = Interlocked.Increment(ref there);
            for (var seen = Volatile.Read(ref most); now > seen; seen = Volatile.Read(ref most))
            {
                Interlocked.CompareExchange(ref most, now, seen);
            }

            await Task.Yield();
            Interlocked.Decrement(ref there);
            places.Exit();
        })));
        Assert.That((places.Taken, places.Waiting), Is.EqualTo((0, 0)));
        Assert.That(most, Is.InRange(1, 4));
    }

    private async Task ServeAsync(Core.Balancing.Places places, string name)
    {
        if (await places.EnterAsync(name[..1], CancellationToken.None) == PlaceWait.Entered)
        {
            lock (_served)
            {
                _served.Add(name);
            }
        }
    }
}
