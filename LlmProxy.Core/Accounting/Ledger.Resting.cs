namespace LlmProxy.Core.Accounting;

/// <summary>When nothing is written.</summary>
internal sealed partial class Ledger
{
    private const int FewRows = 50;

    // After a batch of few rows: it takes tenths of a millisecond of a processor, in which events wait, whatever is in it.
    private static readonly TimeSpan _longPause = TimeSpan.FromMilliseconds(500);

    private volatile TaskCompletionSource? _asked;

    /// <summary>Lets rows gather, as long as nobody waits for them.</summary>
    private async ValueTask RestAsync()
    {
        // One of its own for each rest: what lasts as long as the process would keep something of every wait for it.
        var asked = _asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        // Who asked before that was there has ended no rest.
        Interlocked.MemoryBarrier();
        if (_spends.IsEmpty && _flushes.IsEmpty && !_stopping.Task.IsCompleted)
        {
            await asked.Task.WaitAsync(_longPause, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask SleepAsync()
    {
        Volatile.Write(ref _isAsleep, 1);

        // A row that came before that was written has woken nobody.
        if (_journal.WaitingRows == 0 && _spends.IsEmpty && _flushes.IsEmpty && !_stopping.Task.IsCompleted)
        {
            await _wake.WaitAsync();
        }

        Volatile.Write(ref _isAsleep, 0);
    }
}
