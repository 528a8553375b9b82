using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Balancing;

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
    private readonly LinkedList<string> _turns = new();
    private readonly Dictionary<string, LinkedList<Waiter>> _waiting = new(StringComparer.Ordinal);
    private int _taken;
    private int _waitingCount;

    /// <summary>Requests that are there.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Requests that wait.</summary>
    public int Waiting => Volatile.Read(ref _waitingCount);

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
            if (_taken >= most || _waitingCount > 0)
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
    /// <returns>False if too many wait, or it took too long.</returns>
    /// <exception cref="OperationCanceledException">The exchange was cut off.</exception>
    public async ValueTask<bool> EnterAsync(string caller, CancellationToken cancellation)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (most == 0 || (_taken < most && _waitingCount == 0))
            {
                _taken++;
                return true;
            }

            if (_waitingCount >= queue.Requests)
            {
                return false;
            }

            waiter = Enqueue(caller);
        }

        await using var timer = time.CreateTimer(static state => ((Waiter)state!).Done.TrySetResult(false), waiter, queue.Wait, Timeout.InfiniteTimeSpan);
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

    /// <summary>Gives a place back: to who waits the longest for a turn, or to nobody.</summary>
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
                var waiter = Dequeue(turn);
                if (waiter.Done.TrySetResult(true))
                {
                    return;
                }
            }

            _taken--;
        }
    }

    private Waiter Enqueue(string caller)
    {
        if (!_waiting.TryGetValue(caller, out var own))
        {
            _waiting.Add(caller, own = new LinkedList<Waiter>());
            _turns.AddLast(caller);
        }

        var waiter = new Waiter(caller);
        own.AddLast(waiter.Node);
        _waitingCount++;
        return waiter;
    }

    private Waiter Dequeue(LinkedListNode<string> turn)
    {
        var waiter = _waiting[turn.Value].First!.Value;
        _turns.Remove(turn);
        _turns.AddLast(turn);
        Remove(waiter);
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
        var own = waiter.Node.List!;
        own.Remove(waiter.Node);
        _waitingCount--;
        if (own.Count == 0)
        {
            _waiting.Remove(waiter.Caller);
            _turns.Remove(waiter.Caller);
        }
    }

    private sealed class Waiter
    {
        public Waiter(string caller)
        {
            Caller = caller;
            Node = new LinkedListNode<Waiter>(this);
        }

        public string Caller { get; }

        public LinkedListNode<Waiter> Node { get; }

        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
