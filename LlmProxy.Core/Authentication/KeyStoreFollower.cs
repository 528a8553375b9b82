using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Authentication;

/// <summary>
/// Follows the store of keys from one background loop: what changes there counts within a second. While the store is away, what was
/// read last counts, and at a start without it, what a file has kept of that.
/// </summary>
internal sealed partial class KeyStoreFollower : IHostedService, IAsyncDisposable
{
    // A healthy store has answered by then; one that is down must not hold up an app that has keys of its own.
    private static readonly TimeSpan _startPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _longestAnswer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _shortestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _snapshotPause = TimeSpan.FromSeconds(5);

    private readonly IKeyStore? _store;
    private readonly StoredKeys _keys;
    private readonly KeySnapshotFile? _file;
    private readonly Func<string, bool> _isConfigured;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<string> _shadowed = new(StringComparer.Ordinal);
    private Task? _loop;
    private volatile bool _isWholeDue = true;
    private volatile bool _isFromFile;
    private bool _isToldOut;
    private bool _isDisposed;
    private volatile bool _isUnsaved;
    private long _saved;

    /// <param name="store">Null: there is none, and nothing is done.</param>
    /// <param name="keys">Take what is read.</param>
    /// <param name="file">Keeps it; null: nothing does.</param>
    /// <param name="isConfigured">Is there a key of this name in the configuration?</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For operators.</param>
    public KeyStoreFollower(IKeyStore? store, StoredKeys keys, KeySnapshotFile? file, Func<string, bool> isConfigured, TimeProvider time, ILogger<KeyStoreFollower> logger)
    {
        (_store, _keys, _file, _isConfigured, _time, _logger) = (store, keys, file, isConfigured, time, logger);
        keys.IsOut = store is not null;
        keys.Report = (key, why) => Log.KeyUnusable(logger, key.Id, key.Name, why);
        keys.ReportGroup = (group, why) => Log.GroupUnusable(logger, group.Name, why);
    }

    /// <summary>There is a store.</summary>
    public bool HasStore => _store is not null;

    /// <summary>Nothing is known of a store that there is: neither was it read nor is there a file from before.</summary>
    public bool KnowsNothing => _store is not null && _isWholeDue && !_isFromFile;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_store is null)
        {
            return;
        }

        using (var patience = new CancellationTokenSource(_startPatience, _time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token))
        {
            if (!await TryRefreshAsync(either.Token) && _file is not null && await _file.ReadAsync(_logger, cancellationToken) is { } kept)
            {
                _keys.Apply(kept);
                _isFromFile = true;
                Log.FromFile(_logger, _file.Path, kept.Keys.Count);
            }
        }

        using (ExecutionContext.SuppressFlow())
        {
            _loop = Task.Run(FollowAsync, CancellationToken.None);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await (_loop ?? Task.CompletedTask).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_isUnsaved)
        {
            await SaveAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // It is registered twice, as itself and as a service of the host.
        if (Interlocked.Exchange(ref _isDisposed, true))
        {
            return;
        }

        await _stop.CancelAsync();
        await (_loop ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _turn.Dispose();
    }

    /// <summary>Reads what has changed now.</summary>
    /// <exception cref="Exception">Whatever the store throws.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            // After an outage as well: another server may have taken over, without what the one before had said last.
            var isWhole = _isWholeDue || _keys.IsOut;
            var changes = await _store!.ReadAsync(isWhole ? 0 : _keys.Revision, cancellationToken);
            if (!isWhole && changes.Revision < _keys.Revision)
            {
                // Somebody has put an older state back: what was there only since then is gone.
                isWhole = true;
                changes = await _store.ReadAsync(0, cancellationToken);
            }

            _keys.Apply(changes, isWhole);
            _isWholeDue = false;
            _keys.IsOut = false;
            _isUnsaved |= _file is not null && (isWhole || changes.Keys.Count + changes.Groups.Count > 0);
            WarnOfShadows(changes.Keys);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>After a change: keeps what is known now in the file, where no loop is there to do it.</summary>
    public Task KeepAsync(CancellationToken cancellationToken) => _loop is null && _isUnsaved ? SaveAsync(cancellationToken) : Task.CompletedTask;

    private async Task FollowAsync()
    {
        var pause = _shortestPause;
        while (!_stop.IsCancellationRequested)
        {
            if (_isUnsaved && (_saved == 0 || _time.GetElapsedTime(_saved) >= _snapshotPause))
            {
                await SaveAsync(_stop.Token);
            }

            if (await TryFollowAsync())
            {
                pause = _shortestPause;
                continue;
            }

            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
        }
    }

    private async Task<bool> TryFollowAsync()
    {
        using var patience = new CancellationTokenSource(_longestAnswer, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, patience.Token);
        try
        {
            if (!_isWholeDue && !_keys.IsOut)
            {
                await _store!.WaitAsync(_keys.Revision, either.Token);
            }
        }
        catch (Exception e)
        {
            NoteOut(e);
            return false;
        }

        return await TryRefreshAsync(either.Token);
    }

    private async Task<bool> TryRefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Not on the thread of who waits: a store may work as long as it likes before its first await.
            await Task.Run(() => RefreshAsync(cancellationToken), CancellationToken.None).WaitAsync(cancellationToken);
            if (_isToldOut)
            {
                _isToldOut = false;
                Log.Back(_logger);
            }

            return true;
        }
        catch (Exception e)
        {
            NoteOut(e);
            return false;
        }
    }

    private void NoteOut(Exception e)
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        _keys.IsOut = true;
        if (!_isToldOut)
        {
            _isToldOut = true;
            Log.Out(_logger, e);
        }
    }

    private async Task SaveAsync(CancellationToken cancellationToken)
    {
        // Before it is written: what changes meanwhile is due again.
        _isUnsaved = false;
        if (!await _file!.WriteAsync(new KeyStoreChanges(_keys.Revision, [.. _keys.Keys], [.. _keys.Groups]), _logger, cancellationToken))
        {
            _isUnsaved = true;
        }

        _saved = _time.GetTimestamp();
    }

    private void WarnOfShadows(IReadOnlyList<StoredKey> keys)
    {
        foreach (var key in keys)
        {
            if (key.Revoked is null && _isConfigured(key.Name) && _shadowed.Add(key.Id))
            {
                Log.Shadowed(_logger, key.Name, key.Id);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The store of keys cannot be read. Keys that are known go on, others are told to try again; it is tried again.")]
        public static partial void Out(ILogger logger, Exception exception);

        [LoggerMessage(2, LogLevel.Information, "The store of keys can be read again.")]
        public static partial void Back(ILogger logger);

        [LoggerMessage(3, LogLevel.Warning, "The store of keys could not be read at the start: {Count} keys are those of {File}.")]
        public static partial void FromFile(ILogger logger, string file, int count);

        [LoggerMessage(4, LogLevel.Warning, "Key {Id} ({Name}) of the store is refused: {Why}.")]
        public static partial void KeyUnusable(ILogger logger, string id, string name, string why);

        [LoggerMessage(5, LogLevel.Warning, "Group {Name} of the store counts as missing: {Why}.")]
        public static partial void GroupUnusable(ILogger logger, string name, string why);

        [LoggerMessage(6, LogLevel.Warning, "The configuration and the store both have a key {Name}: by that name the configuration's is meant; the other one is {Id}.")]
        public static partial void Shadowed(ILogger logger, string name, string id);
    }
}
