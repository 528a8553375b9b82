using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Balancing;

/// <summary>How the wait for a place ended.</summary>
internal enum PlaceWait
{
    Entered,

    /// <summary>As many wait as may.</summary>
    QueueFull,

    /// <summary>It took too long.</summary>
    TimedOut,
}

/// <summary>
/// The places at an upstream: how many requests are there, and who waits for one of them to end. Callers are served in turn and
/// each caller's requests in their order, so that one who sends much does not keep the others out.
/// </summary>
/// <param name="most">Places; 0: any number.</param>
/// <param name="queue">How many may wait and for how long.</param>
/// <param name="time">The app's.</param>
internal sealed class Places(int most, QueueOptions queue, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Line> _turns = new();
    private readonly Dictionary<string, Line> _lines = new(StringComparer.Ordinal);
    private int _taken;
    private int _waiting;

    /// <summary>Requests that are there.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Requests that wait.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Nobody else gets in now.</summary>
    public bool IsFull => most > 0 && (Taken >= most || Waiting > 0);

    /// <summary>Takes a place, if there is one and nobody waits for it.</summary>
    public bool TryEnter()
    {
        if (most == 0)
        {
            Interlocked.Increment(ref _taken);
            return true;
        }

        lock (_lock)
        {
            if (_taken >= most || _waiting > 0)
            {
                return false;
            }

            _taken++;
            return true;
        }
    }

    /// <summary>Takes a place, and waits for it if need be.</summary>
    /// <param name="caller">Whose turn it is to be.</param>
    /// <param name="cancellation">The exchange's; whoever is cut off leaves the queue.</param>
    /// <exception cref="OperationCanceledException">The exchange was cut off.</exception>
    public async ValueTask<PlaceWait> EnterAsync(string caller, CancellationToken cancellation)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (most == 0 || (_taken < most && _waiting == 0))
            {
                _taken++;
                return PlaceWait.Entered;
            }

            if (_waiting >= queue.Requests)
            {
                return PlaceWait.QueueFull;
            }

            waiter = Enqueue(caller);
        }

        await using var timer = time.CreateTimer(
            static state => ((Waiter)state!).Done.TrySetResult(PlaceWait.TimedOut), waiter, queue.Wait, Timeout.InfiniteTimeSpan);
        await using var registration = cancellation.UnsafeRegister(static (state, token) => ((Waiter)state!).Done.TrySetCanceled(token), waiter);
        try
        {
            return await waiter.Done.Task;
        }
        finally
        {
            // Whoever got a place has been taken out already.
            Leave(waiter);
        }
    }

    /// <summary>Gives a place back: to the caller whose turn it is, or to nobody.</summary>
    public void Exit()
    {
        if (most == 0)
        {
            Interlocked.Decrement(ref _taken);
            return;
        }

        lock (_lock)
        {
            while (_turns.First is { } turn)
            {
                var waiter = turn.Value.Waiters.First!.Value;
                _turns.RemoveFirst();
                _turns.AddLast(turn);
                Remove(waiter);
                if (waiter.Done.TrySetResult(PlaceWait.Entered))
                {
                    return;
                }
            }

            _taken--;
        }
    }

    private Waiter Enqueue(string caller)
    {
        if (!_lines.TryGetValue(caller, out var line))
        {
            line = new Line(caller);
            _lines.Add(caller, line);
            _turns.AddLast(line.Turn);
        }

        var waiter = new Waiter(line);
        line.Waiters.AddLast(waiter.Node);
        _waiting++;
        return waiter;
    }

    private void Leave(Waiter waiter)
    {
        lock (_lock)
        {
            if (waiter.Node.List is not null)
            {
                Remove(waiter);
            }
        }
    }

    private void Remove(Waiter waiter)
    {
        var line = waiter.Line;
        line.Waiters.Remove(waiter.Node);
        _waiting--;
        if (line.Waiters.Count == 0)
        {
            _lines.Remove(line.Caller);
            _turns.Remove(line.Turn);
        }
    }

    /// <summary>One caller's requests.</summary>
    private sealed class Line
    {
        public Line(string caller)
        {
            Caller = caller;
            Turn = new LinkedListNode<Line>(this);
        }

        public string Caller { get; }

        public LinkedList<Waiter> Waiters { get; } = new();

        /// <summary>Where the caller stands among the others.</summary>
        public LinkedListNode<Line> Turn { get; }
    }

    private sealed class Waiter
    {
        public Waiter(Line line)
        {
            Line = line;
            Node = new LinkedListNode<Waiter>(this);
        }

        public Line Line { get; }

        public LinkedListNode<Waiter> Node { get; }

        public TaskCompletionSource<PlaceWait> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
