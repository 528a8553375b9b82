namespace LlmProxy.Core.Balancing;

/// <summary>
/// Where conversations were last answered, for those that carry what only that account can read. A table of fixed size that
/// holds 42 bits of a conversation and 22 of an upstream's name: one may push another out, and then nobody knows.
/// </summary>
internal sealed class Homes
{
    private const int Slots = 1 << 16;
    private const int NameBits = 22;
    private const ulong NameMask = (1UL << NameBits) - 1;

    private long[]? _slots;

    /// <summary>Notes where a conversation was answered.</summary>
    /// <param name="key">The conversation; 0: none.</param>
    /// <param name="upstream">A hash of the upstream's name.</param>
    public void Remember(ulong key, ulong upstream)
    {
        if (key != 0)
        {
            if (_slots is null)
            {
                Interlocked.CompareExchange(ref _slots, new long[Slots], null);
            }

            Volatile.Write(ref _slots[key % Slots], (long)((key & ~NameMask) | (upstream & NameMask)));
        }
    }

    /// <summary>Was it answered there?</summary>
    public bool IsAt(ulong key, ulong upstream) =>
        key != 0 && _slots is not null && (ulong)Volatile.Read(ref _slots[key % Slots]) == ((key & ~NameMask) | (upstream & NameMask));
}
