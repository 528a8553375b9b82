using System.Collections.Concurrent;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// Brings rows to the store: requests append to the journal and never wait; one loop in the background writes behind. While the
/// store is away, rows wait on disk, and it is asked again and again.
/// </summary>
internal sealed partial class Ledger : IHostedLifecycleService, IDisposable, IAsyncDisposable
{
    /// <summary>Of one file of the journal: what some ten thousand rows take.</summary>
    public const long SegmentSize = 4 << 20;

    private const int BatchSize = 500;
    private const int MostDays = 36_500;

    // After a batch: under load the store has ten transactions a second to make and not one for each request.
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _shortestBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _longestBackoff = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _round = TimeSpan.FromSeconds(30);

    [ThreadStatic]
    private static byte[]? _frame;

    [ThreadStatic]
    private static RowCourses? _courses;

    private readonly ILedgerStore? _store;
    private readonly LedgerSettings _settings;
    private readonly ProxyMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Journal _journal;
    private readonly LogPace _lossPace;
    private readonly LogPace _storePace;
    private readonly LogPace _diskPace;
    private readonly LogPace _refusedPace;
    private readonly RefusedRows _refused;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _room = new(0);
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<Asked> _spends = new();
    private readonly ConcurrentQueue<Asked> _flushes = new();
    private readonly List<JournalFolder> _adopted = [];
    private readonly ConcurrentDictionary<string, bool> _foreign = new(StringComparer.Ordinal);
    private readonly Lock _beginning = new();
    private ITimer? _rounds;
    private Task _loop = Task.CompletedTask;
    private Task _makingRoom = Task.CompletedTask;
    private volatile JournalFolder? _folder;
    private int _isRoomAsked;
    private long _roundAt;
    private long _retainedAt;
    private int _isAsleep;
    private bool _hasLoadedOld;
    private bool _wasDown;
    private bool _hasBegun;
    private volatile bool _isServing;
    private volatile bool _hasEnded;

    /// <param name="store">Null: nothing is kept, and nothing of this costs anything.</param>
    /// <param name="settings">Null only without a store.</param>
    /// <param name="metrics">Counts what waits and what is lost.</param>
    /// <param name="time">The app's.</param>
    /// <param name="logger">For what goes wrong.</param>
    public Ledger(ILedgerStore? store, LedgerSettings? settings, ProxyMetrics metrics, TimeProvider time, ILogger<Ledger> logger)
    {
        _store = store;
        _settings = settings ?? new LedgerSettings();
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _lossPace = new LogPace(time);
        _storePace = new LogPace(time);
        _diskPace = new LogPace(time);
        _refusedPace = new LogPace(time);
        _refused = new RefusedRows(time);
        _journal = new Journal(Math.Max(2 * SegmentSize, _settings.Journal), SegmentSize);
        if (store is null)
        {
            return;
        }

        if (_settings.Directory.Length == 0)
        {
            throw new InvalidOperationException("A ledger store is registered, and nothing says where its rows wait: call AddLlmProxyLedger with a Directory.");
        }

        if (_settings.KeepDays is < 1 or > MostDays)
        {
            throw new InvalidOperationException($"KeepDays of a ledger is out of range: 1 to {MostDays}. Leave it null to keep everything.");
        }

        metrics.Ledger.Observe(() => _journal.WaitingRows);
    }

    /// <summary>Requests have rows.</summary>
    public bool IsOn => _store is not null;

    /// <summary>A request that is admitted now may find no place for its row, and that is not wanted.</summary>
    public bool RefusesNew => IsOn && _settings.WhenFull == FullJournal.Refuse && _journal.IsFull;

    /// <summary>Rows of this process that the store does not have.</summary>
    public long WaitingRows => _journal.WaitingRows;

    /// <summary>Keeps a row. When this returns it survives the process.</summary>
    /// <param name="row">Of a request whose answer has not ended yet.</param>
    /// <param name="rawUsage">Its raw usage, as bytes.</param>
    public void Append(LedgerRow row, ReadOnlySpan<byte> rawUsage)
    {
        var frame = _frame ??= new byte[JournalSegment.FrameHead + RowCodec.Longest + JournalSegment.Padding];
        var length = JournalSegment.FrameHead + RowCodec.Write(row, rawUsage, frame.AsSpan(JournalSegment.FrameHead), _courses ??= new RowCourses());
        JournalSegment.Close(frame.AsSpan(0, length));
        var kept = _journal.Append(frame, length);
        if (kept != KeptIn.File)
        {
            NoteTrouble(kept);
        }

        if (_journal.NeedsSpare && Interlocked.Exchange(ref _isRoomAsked, 1) == 0)
        {
            _room.Release();
        }

        if (Volatile.Read(ref _isAsleep) == 1)
        {
            Wake();
        }
    }

    /// <summary>
    /// What has been spent before this process began, in some windows: asked at its start, before its own requests are written. Waits
    /// for the store; what an earlier process has left in the journal is in the store by then.
    /// </summary>
    public Task<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken)
    {
        if (!IsOn)
        {
            return Task.FromResult<IReadOnlyList<Spend>>([]);
        }

        var asked = new Asked(windows);
        _spends.Enqueue(asked);
        if (_hasEnded)
        {
            asked.Answer.TrySetCanceled(CancellationToken.None);
        }

        Begin();
        Wake();
        _asked?.TrySetResult();
        return asked.Answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Waits until the store has all rows that there are now, those that earlier processes have left included.</summary>
    public Task FlushAsync(CancellationToken cancellationToken)
    {
        if (!IsOn)
        {
            return Task.CompletedTask;
        }

        var asked = new Asked([]) { Appended = _journal.Appended };
        _flushes.Enqueue(asked);
        if (_hasEnded)
        {
            asked.Answer.TrySetCanceled(CancellationToken.None);
        }

        Begin();
        Wake();
        _asked?.TrySetResult();
        return asked.Answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Before anything else is started that might have a row.</summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _isServing = true;
        Begin();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Writes what is left, once the server has let its last request end. What the store does not take in time waits for the next start.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        Stop();
        try
        {
            await _loop.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Log.LeftInJournal(_logger, _journal.WaitingRows);
        }
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync()
    {
        lock (_beginning)
        {
            _ending.Cancel();
            _hasEnded |= !_hasBegun;
        }

        Stop();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _makingRoom.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _rounds?.Dispose();
        _journal.Dispose();
        _adopted.ForEach(static folder => folder.Dispose());
        _adopted.Clear();
    }

    /// <summary>
    /// Takes a folder and begins to write. Not before there is a need to: a program that serves nobody, and only looks into the store, takes
    /// no folder, brings no rows and deletes none.
    /// </summary>
    private void Begin()
    {
        lock (_beginning)
        {
            if (!IsOn || _hasBegun || _ending.IsCancellationRequested)
            {
                return;
            }

            _hasBegun = true;
            MakeRoom();
            _rounds = _time.CreateTimer(static self => ((Ledger)self!).Wake(), this, _round, _round);

            // It outlives whatever asks for it first.
            using (ExecutionContext.SuppressFlow())
            {
                _makingRoom = Task.Run(MakeRoomAsync);
                _loop = Task.Run(RunAsync);
            }
        }
    }

    private void Stop()
    {
        _stopping.TrySetResult();
        _asked?.TrySetResult();
        _room.Release();
        Wake();
    }

    private void Wake()
    {
        Volatile.Write(ref _isAsleep, 0);
        if (_wake.CurrentCount == 0)
        {
            _wake.Release();
        }
    }

    private void NoteTrouble(KeptIn kept)
    {
        if (kept == KeptIn.Nothing)
        {
            _metrics.Ledger.Lost();
            if (_lossPace.TryPass())
            {
                Log.Lost(_logger);
            }
        }
        else if (_diskPace.TryPass())
        {
            Log.InMemory(_logger);
        }
    }

    private sealed record Asked(IReadOnlyCollection<string> Windows)
    {
        /// <summary>Rows that there were.</summary>
        public long Appended { get; init; }

        public TaskCompletionSource<IReadOnlyList<Spend>> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
