namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Between who holds the events before the commit and who keeps the client awake: where a comment would not do, the second
/// asks the first to commit with what it holds.
/// </summary>
internal sealed class HeldEvents
{
    private TaskCompletionSource _asked = New();
    private HeldEvents? _others;

    /// <summary>Completes when they are asked for the next time.</summary>
    public Task Asked => Volatile.Read(ref _asked).Task;

    public void Ask()
    {
        Interlocked.Exchange(ref _asked, New()).TrySetResult();
        Volatile.Read(ref _others)?.Ask();
    }

    /// <summary>Whoever asks for these asks for others, too: a call that several share holds them for all.</summary>
    public void PassTo(HeldEvents others) => Volatile.Write(ref _others, others);

    // What follows must not run in the loop that asks: it goes on with the client meanwhile.
    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
