using LlmProxy.Core.Authentication;

namespace LlmProxy.Tests.Support;

/// <summary>A store of keys in memory that can be taken away.</summary>
public sealed class FlakyKeyStore : IKeyStore
{
    private volatile bool _isDown;
    private int _reads;

    /// <summary>Every call throws.</summary>
    public bool IsDown
    {
        get => _isDown;
        set => _isDown = value;
    }

    /// <summary>What it has. Another may take over.</summary>
    public MemoryKeyStore Inner { get; set; } = new();

    /// <summary>It goes as soon as it has saved something.</summary>
    public bool GoesAfterSave { get; set; }

    /// <summary>Times that it was read, or somebody tried to.</summary>
    public int Reads => Volatile.Read(ref _reads);

    public ValueTask<KeyStoreChanges> ReadAsync(long afterRevision, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        return Up().ReadAsync(afterRevision, cancellationToken);
    }

    public async ValueTask WaitAsync(long revision, CancellationToken cancellationToken)
    {
        await Up().WaitAsync(revision, cancellationToken);
        Up();
    }

    public async ValueTask<bool> SaveAsync(IReadOnlyList<StoredKey> keys, CancellationToken cancellationToken)
    {
        bool isSaved = await Up().SaveAsync(keys, cancellationToken);
        _isDown |= GoesAfterSave;
        return isSaved;
    }

    public async ValueTask<bool> SaveAsync(StoredGroup group, CancellationToken cancellationToken)
    {
        bool isSaved = await Up().SaveAsync(group, cancellationToken);
        _isDown |= GoesAfterSave;
        return isSaved;
    }

    private MemoryKeyStore Up() => _isDown ? throw new InvalidOperationException("The store is away.") : Inner;
}
