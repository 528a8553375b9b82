using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Balancing;

/// <summary>
/// Whether a target's prompt cache answers to what comes back to it. Where twenty conversations in a row came back and not one token
/// was read from a cache, keeping them there is of no use: it is given up for a while and then tried again.
/// </summary>
/// <remarks>
/// Conversations are remembered by a few bits each in a table of fixed size; one may push another out, which then does not
/// count. Only usage that says how much was cached counts: a server that caches in silence keeps its conversations.
/// </remarks>
internal sealed class CacheYield
{
    /// <summary>Answers without a hit, after which it is given up.</summary>
    public const int MostMisses = 20;

    // Providers cache nothing shorter.
    private const int LeastInput = 1024;

    // Caches that say nothing else of it hold for five minutes.
    private const long HoldsSeconds = 300;
    private const long PauseMs = 600_000;

    private const int Slots = 4096;
    private const int TimeBits = 20;
    private const ulong TimeMask = (1UL << TimeBits) - 1;

    private long[]? _seen;
    private int _misses;
    private long _idleUntil;

    /// <summary>It brings nothing at present.</summary>
    public bool IsIdle(long now) => now < Volatile.Read(ref _idleUntil);

    /// <summary>An answer has come.</summary>
    /// <param name="key">Of its conversation.</param>
    /// <param name="usage">What it reported.</param>
    /// <param name="now">Milliseconds.</param>
    public void Note(ulong key, in Usage usage, long now)
    {
        if (usage.Input < LeastInput || usage.CachedInput < 0)
        {
            return;
        }

        var hasComeBack = HasComeBack(key, now / 1000);
        if (usage.CachedInput > 0)
        {
            Volatile.Write(ref _misses, 0);
            Volatile.Write(ref _idleUntil, 0);
        }
        else if (hasComeBack && !IsIdle(now) && Interlocked.Increment(ref _misses) >= MostMisses)
        {
            Volatile.Write(ref _misses, 0);
            Volatile.Write(ref _idleUntil, now + PauseMs);
        }
    }

    private bool HasComeBack(ulong key, long second)
    {
        if (_seen is null)
        {
            Interlocked.CompareExchange(ref _seen, new long[Slots], null);
        }

        ref var slot = ref _seen[key % Slots];
        var before = (ulong)Volatile.Read(ref slot);
        Volatile.Write(ref slot, (long)((key & ~TimeMask) | ((ulong)second & TimeMask)));
        return ((before ^ key) & ~TimeMask) == 0 && (((ulong)second - before) & TimeMask) <= HoldsSeconds;
    }
}
