using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>What is left of rows beside the store, of this process and of others.</summary>
internal sealed partial class Ledger
{
    private const int MostTries = 100;

    // Files to go on in are made in the background, in a few milliseconds.
    private static readonly TimeSpan _tryPause = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Waits until the store has all rows that there are now, and takes an end user's name out of what stays on disk here nevertheless: the
    /// file that rows were written to last, and rows that the store refused.
    /// </summary>
    /// <returns>How many refused rows were changed.</returns>
    /// <exception cref="IOException">A file cannot be changed now, or there is no room for another to go on in.</exception>
    public async Task<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        for (var i = 0; !_journal.TryRenew(); i++)
        {
            if (i == MostTries)
            {
                throw new IOException("The journal has no other file to go on in, and the name stands in the one that it has.");
            }

            _room.Release();
            await Task.Delay(_tryPause, _time, cancellationToken);
        }

        // Where a file has given way to another, the next look takes it away.
        await FlushAsync(cancellationToken);
        _room.Release();
        return IsOn ? RefusedRows.EraseEndUser(_settings.Directory, endUser) : 0;
    }

    private void NoteForeign(string path)
    {
        if (_foreign.TryAdd(path, true))
        {
            Log.Foreign(_logger, path);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(11, LogLevel.Warning, "The journal's folder {Path} is another user's: it is left alone, and what rows are in it are brought to the store by nobody but that user. Told once.")]
        public static partial void Foreign(ILogger logger, string path);
    }
}
