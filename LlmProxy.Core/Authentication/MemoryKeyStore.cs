namespace LlmProxy.Core.Authentication;

/// <summary>Keeps keys and groups in memory, for as long as the process runs: for tests, and for what may be forgotten.</summary>
/// <param name="time">The clock by which a wait ends. Default null: the system's.</param>
public sealed class MemoryKeyStore(TimeProvider? time = null) : IKeyStore
{
    private static readonly TimeSpan _longestWait = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, StoredKey> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoredGroup> _groups = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _revision;

    /// <inheritdoc/>
    public ValueTask<KeyStoreChanges> ReadAsync(long afterRevision, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return ValueTask.FromResult(new KeyStoreChanges(
                _revision,
                [.. _keys.Values.Where(key => key.Revision > afterRevision)],
                [.. _groups.Values.Where(group => group.Revision > afterRevision)]));
        }
    }

    /// <inheritdoc/>
    public async ValueTask WaitAsync(long revision, CancellationToken cancellationToken)
    {
        Task changed;
        lock (_lock)
        {
            if (_revision > revision)
            {
                return;
            }

            changed = _changed.Task;
        }

        try
        {
            await changed.WaitAsync(_longestWait, time ?? TimeProvider.System, cancellationToken);
        }
        catch (TimeoutException)
        {
            // That is the end of a wait as well.
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> SaveAsync(IReadOnlyList<StoredKey> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        lock (_lock)
        {
            // Tried on a copy, so that all are saved or none.
            var next = new Dictionary<string, StoredKey>(_keys, StringComparer.Ordinal);
            foreach (var key in keys)
            {
                var isKnown = next.TryGetValue(key.Id, out var before);
                if (isKnown ? before!.Revision != key.Revision : key.Revision != 0)
                {
                    return ValueTask.FromResult(false);
                }

                if (next.Values.Any(other => other.Id != key.Id && Clash(other, key)))
                {
                    return ValueTask.FromResult(false);
                }

                next[key.Id] = key with { Revision = _revision + 1 };
            }

            foreach (var key in keys)
            {
                _keys[key.Id] = next[key.Id];
            }

            Change();
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> SaveAsync(StoredGroup group, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(group);
        lock (_lock)
        {
            var isKnown = _groups.TryGetValue(group.Name, out var before);
            if (isKnown ? before!.Revision != group.Revision : group.Revision != 0)
            {
                return ValueTask.FromResult(false);
            }

            _groups[group.Name] = group with { Revision = _revision + 1 };
            Change();
            return ValueTask.FromResult(true);
        }
    }

    private static bool Clash(StoredKey one, StoredKey other) =>
        one.Hash == other.Hash || (one.Name == other.Name && one.Revoked is null && other.Revoked is null);

    private void Change()
    {
        _revision++;
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
