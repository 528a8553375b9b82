using LlmProxy.Core.Admin;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>One generation of the configuration, compiled. A request holds one and keeps to it, from its beginning to its end.</summary>
internal sealed class LlmProxySnapshot
{
    // Taken off when it is replaced, so that from then on who comes too late sees that in the same step in which they are counted.
    private const long Replaced = 1L << 40;

    private long _holders;
    private Action? _ended;

    /// <param name="options">Validated; not changed afterwards.</param>
    /// <param name="before">The generation that this one is to replace; null for the first.</param>
    /// <param name="stored">Keys of the store; null: those of the generation before, if there is one.</param>
    public LlmProxySnapshot(LlmProxyOptions options, LlmProxySnapshot? before = null, StoredKeys? stored = null)
    {
        Options = options;
        Generation = (before?.Generation ?? 0) + 1;
        Routes = RouteTableCompiler.Compile(options, Generation, before?.Routes.Upstreams);
        Keys = new KeyRing(options, RouteTableCompiler.AliasResolver(options), stored ?? before?.Keys.Stored);
        AdminKeys = new AdminKeys(options.Admin);
    }

    /// <summary>From 1.</summary>
    public long Generation { get; }

    public LlmProxyOptions Options { get; }

    public RouteTable Routes { get; }

    public KeyRing Keys { get; }

    public AdminKeys AdminKeys { get; }

    /// <summary>Of all keys, those of the store included: grows with each change of any.</summary>
    public long KeyState => Generation + Keys.Version;

    /// <summary>Counts a holder; false if it has been replaced.</summary>
    public bool TryHold()
    {
        if (Interlocked.Increment(ref _holders) > 0)
        {
            return true;
        }

        Release();
        return false;
    }

    /// <summary>What <see cref="TryHold"/> or <see cref="LlmProxySnapshots.Hold"/> has counted has ended.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == -Replaced)
        {
            End();
        }
    }

    /// <summary>It is in force no longer.</summary>
    /// <param name="ended">Called once, when the last holder has let go.</param>
    public void Retire(Action ended)
    {
        Volatile.Write(ref _ended, ended);
        if (Interlocked.Add(ref _holders, -Replaced) == -Replaced)
        {
            End();
        }
    }

    private void End() => Interlocked.Exchange(ref _ended, null)?.Invoke();
}

/// <summary>Holds the snapshot in force; swapped whole.</summary>
internal sealed class LlmProxySnapshots(LlmProxySnapshot first)
{
    private LlmProxySnapshot _current = first;

    /// <summary>To look at. Who sends requests by it holds it.</summary>
    public LlmProxySnapshot Current => Volatile.Read(ref _current);

    /// <summary>The snapshot in force, held until its <see cref="LlmProxySnapshot.Release"/>: so long its connections stay open.</summary>
    public LlmProxySnapshot Hold()
    {
        while (true)
        {
            var snapshot = Current;
            if (snapshot.TryHold())
            {
                return snapshot;
            }
        }
    }

    /// <summary>Puts another in force.</summary>
    /// <param name="next">Made for the one that is in force now.</param>
    /// <param name="ended">Called when the last request of the old one has ended.</param>
    public void Replace(LlmProxySnapshot next, Action<LlmProxySnapshot> ended)
    {
        var old = Interlocked.Exchange(ref _current, next);
        old.Retire(() => ended(old));
    }
}
