using System.Runtime.CompilerServices;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>What a method's wait leaves behind serves the next, and no request ever sees another's.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "How it ends, and what a second look finds, is what is tested.")]
internal sealed class ReusingMethodBuilderTests
{
    private static readonly AsyncLocal<string?> _place = new();

    [Test]
    public async Task A_method_that_does_not_wait_has_its_result_at_once()
    {
        var gate = new Gate();
        gate.Open();
        var once = PassAsync(gate, "a");
        Assert.That(once.IsCompletedSuccessfully);
        Assert.That(await once, Is.EqualTo("a"));
    }

    [Test]
    public void What_one_waited_in_serves_the_next()
    {
        // Compiled without optimisation, its locals are an object themselves; what holds them and how it goes on would be 190 more.
        const int Locals = 80;
        const int Times = 1000;
        var gate = new Gate();
        Wait(gate);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Times; i++)
        {
            Wait(gate);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThanOrEqualTo(Locals * Times));
    }

    [Test]
    public void Those_that_wait_at_one_time_are_each_answered_for_themselves()
    {
        var gates = Enumerable.Range(0, 200).Select(static _ => new Gate()).ToArray();
        for (var round = 0; round < 3; round++)
        {
            var waiting = gates.Select((gate, i) => PassAsync(gate, $"{round} {i}").AsTask()).ToArray();
            foreach (var (gate, i) in gates.Select(static (gate, i) => (gate, i)).Reverse())
            {
                Assert.That(waiting[i].IsCompleted, Is.False);
                gate.Open();
                gate.Close();
                Assert.That(waiting[i].Result, Is.EqualTo($"{round} {i}"));
            }
        }
    }

    [Test]
    public void A_second_look_is_refused_and_takes_nothing_of_the_next()
    {
        var (gate, other) = (new Gate(), new Gate());
        var first = PassAsync(gate, "first");
        gate.Open();
        Assert.That(first.GetAwaiter().GetResult(), Is.EqualTo("first"));
        var second = PassAsync(other, "second");
        Assert.That(() => first.GetAwaiter().GetResult(), Throws.InvalidOperationException);
        Assert.That(() => first.IsCompleted, Throws.InvalidOperationException);
        other.Open();
        Assert.That(() => first.GetAwaiter().GetResult(), Throws.InvalidOperationException);
        Assert.That(second.GetAwaiter().GetResult(), Is.EqualTo("second"));
    }

    [Test]
    public void A_look_that_comes_too_early_is_refused_and_leaves_the_method_what_it_waits_in()
    {
        var (gate, other) = (new Gate(), new Gate());
        var early = PassAsync(gate, "early");
        Assert.That(() => early.GetAwaiter().GetResult(), Throws.InvalidOperationException);
        var second = PassAsync(other, "second");
        gate.Open();
        Assert.That((early.GetAwaiter().GetResult(), second.IsCompleted), Is.EqualTo(("early", false)));
        other.Open();
        Assert.That(second.GetAwaiter().GetResult(), Is.EqualTo("second"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_failure_is_thrown_where_it_is_waited_for_and_leaves_nothing_to_the_next(bool waits)
    {
        var gate = new Gate();
        if (!waits)
        {
            gate.Open();
        }

        var failing = PassAsync(gate, null);
        gate.Open();
        Assert.That(() => failing.GetAwaiter().GetResult(), Throws.TypeOf<FormatException>());
        gate.Close();
        var next = PassAsync(gate, "next");
        gate.Open();
        Assert.That(next.GetAwaiter().GetResult(), Is.EqualTo("next"));
    }

    [Test]
    public void What_belongs_to_a_flow_goes_along_and_comes_back_to_nobody_else()
    {
        var gate = new Gate();
        _place.Value = "of the caller";
        var method = PlaceAsync(gate);
        Assert.That(_place.Value, Is.EqualTo("of the caller"), "what a method sets is its own");
        _place.Value = "of who opens";
        gate.Open();
        Assert.That(method.GetAwaiter().GetResult(), Is.EqualTo(("of the caller", "of the method")));
        Assert.That(_place.Value, Is.EqualTo("of who opens"));

        gate.Close();
        ValueTask<(string?, string?)> without;
        using (ExecutionContext.SuppressFlow())
        {
            without = PlaceAsync(gate);
        }

        gate.Open();
        Assert.That(without.GetAwaiter().GetResult(), Is.EqualTo(("of who opens", "of who opens")), "nothing of the flow that another waited in before");
    }

    [Test]
    public async Task Many_threads_take_and_give_back_without_one_seeing_anothers()
    {
        var wrong = 0;
        await Deadline.In(Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            for (var i = 0; i < 2000; i++)
            {
                var text = $"{worker} {i}";
                Interlocked.Add(ref wrong, await YieldAsync(text) == text ? 0 : 1);
            }
        }))));
        Assert.That(wrong, Is.Zero);
    }

    [Test]
    public async Task A_method_without_a_result_ends_or_fails_as_any_other()
    {
        var gate = new Gate();
        for (var round = 0; round < 3; round++)
        {
            gate.Close();
            var (ending, failing) = (EndAsync(gate, fails: false).AsTask(), default(Task));
            Assert.That(ending.IsCompleted, Is.False);
            gate.Open();
            await ending;
            gate.Close();
            failing = EndAsync(gate, fails: true).AsTask();
            gate.Open();
            Assert.That(async () => await failing, Throws.TypeOf<FormatException>());
            Assert.That(EndAsync(gate, fails: false).IsCompletedSuccessfully);
            Assert.That(EndAsync(gate, fails: true).IsFaulted);
        }
    }

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder))]
    private static async ValueTask EndAsync(Gate gate, bool fails)
    {
        await gate;
        _ = fails ? throw new FormatException() : 0;
    }

    private static void Wait(Gate gate)
    {
        gate.Close();
        var method = PassAsync(gate, "x");
        var awaiter = method.GetAwaiter();
        if (awaiter.IsCompleted)
        {
            Assert.Fail("It did not wait.");
        }

        gate.Open();
        awaiter.GetResult();
    }

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    private static async ValueTask<string> PassAsync(Gate gate, string? text)
    {
        await gate;
        return text ?? throw new FormatException();
    }

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    private static async ValueTask<(string? Before, string? After)> PlaceAsync(Gate gate)
    {
        var before = _place.Value;
        _place.Value = "of the method";
        await gate;
        before = _place.Value == "of the method" ? before : _place.Value;
        return (before, _place.Value);
    }

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    private static async ValueTask<string> YieldAsync(string text)
    {
        await Task.Yield();
        var inner = text.Length % 2 == 0 ? await YieldOnceAsync(text) : text;
        await Task.Yield();
        return inner;
    }

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    private static async ValueTask<string> YieldOnceAsync(string text)
    {
        await Task.Yield();
        return text;
    }

    /// <summary>Goes on with who waits, on the thread that opens it.</summary>
    private sealed class Gate : ICriticalNotifyCompletion
    {
        private Action? _waiting;

        public bool IsCompleted { get; private set; }

        public Gate GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => _waiting = continuation;

        public void UnsafeOnCompleted(Action continuation) => _waiting = continuation;

        public void Close() => IsCompleted = false;

        public void Open()
        {
            IsCompleted = true;
            var waiting = _waiting;
            _waiting = null;
            waiting?.Invoke();
        }
    }
}
