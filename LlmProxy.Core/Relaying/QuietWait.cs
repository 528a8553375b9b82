using System.Threading.Tasks.Sources;
using LlmProxy.Core.Forwarding;

namespace LlmProxy.Core.Relaying;

/// <summary>
/// Waits for something that completes once, and can be woken in between without disturbing it: so that a heartbeat goes out
/// while a read is pending, written by the loop that waits. Allocates nothing per wait.
/// </summary>
internal sealed class QuietWait : ISleeper, IValueTaskSource, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private Action? _onCompleted;
    private int _isArmed;
    private bool _hasCompleted;

    /// <summary>To be handed to the awaiter of what is waited for, once per wait.</summary>
    public Action OnCompleted => _onCompleted ??= Complete;

    /// <summary>What is waited for has completed.</summary>
    public bool HasCompleted => Volatile.Read(ref _hasCompleted);

    /// <summary>Begins a new wait.</summary>
    public void Begin() => Volatile.Write(ref _hasCompleted, false);

    /// <summary>Sleeps until completion or until woken.</summary>
    public ValueTask SleepAsync()
    {
        _core.Reset();
        Interlocked.Exchange(ref _isArmed, 1);
        if (HasCompleted)
        {
            Signal();
        }

        return new ValueTask(this, _core.Version);
    }

    // The wheel has other clocks to look after: what the sleeper does next runs elsewhere.
    public void Wake()
    {
        if (Volatile.Read(ref _isArmed) == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute() => Signal();

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Complete()
    {
        Volatile.Write(ref _hasCompleted, true);
        Signal();
    }

    private void Signal()
    {
        if (Interlocked.Exchange(ref _isArmed, 0) == 1)
        {
            _core.SetResult(true);
        }
    }
}
