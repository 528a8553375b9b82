namespace LlmProxy.Core.Accounting;

/// <summary>What stays in a file after the store has it.</summary>
internal sealed partial class Journal
{
    /// <summary>
    /// Goes on in another file, so that the one that was written, with all rows that the store has already, is removed as soon as it has the
    /// last of them.
    /// </summary>
    /// <returns>False if there is no other for now.</returns>
    public bool TryRenew()
    {
        lock (_lock)
        {
            return _current is not { End: > JournalSegment.Head } || TryGoOn();
        }
    }
}
