namespace LlmProxy.Host.Stores;

/// <summary>Tells those who wait that something has changed.</summary>
internal sealed class ChangeSignal(TimeProvider time)
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _latest;

    /// <param name="revision">Of the change.</param>
    public void Set(long revision)
    {
        if (revision > Volatile.Read(ref _latest))
        {
            Volatile.Write(ref _latest, revision);
        }

        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    /// <summary>Until a change after that revision is known, or that time has gone by.</summary>
    public async ValueTask WaitAsync(long revision, TimeSpan longest, CancellationToken cancellationToken)
    {
        // First the wait, then the look: a change in between ends the wait.
        var next = Volatile.Read(ref _next).Task;

        // Told once: a store that was put back to an earlier state has revisions that are lower again, and nobody is to look without a pause for one
        // that is not there.
        if (Interlocked.Exchange(ref _latest, 0) > revision)
        {
            return;
        }

        try
        {
            await next.WaitAsync(longest, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // As well: whoever waits looks for himself.
        }
    }
}
