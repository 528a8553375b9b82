using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Admission;

/// <summary>
/// Shares limits with other replicas. Each has a slice of every limit that it uses, and admits from that without asking. Five times a
/// second what was used is told, what is not needed let go, and more asked for: all of it in one question, or in a few where there is very much.
/// </summary>
internal sealed partial class LimitSharing(ILimitStore? store, Func<CutOffShare> whenCutOff, TimeProvider time, ILogger<LimitSharing> logger) : BackgroundService
{
    /// <summary>Between two exchanges while nobody waits.</summary>
    public const int IntervalMs = 200;

    /// <summary>After so long without a word the others get what a replica holds.</summary>
    public const int ExpirySeconds = 30;

    // A request that finds nothing left waits so long, once, for more.
    private const int LongestAskMs = 50;
    private const int StoreTimeoutMs = 5000;

    // When a store is back, all that was used meanwhile is told: a part at a time, so that each ends in its time.
    private const int MostAtOnce = 1000;

    // The process is about to end: a store that does not answer soon gives the others what it has by itself, later.
    private const int LastTimeoutMs = 2000;

    private readonly string _replica = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private readonly ConcurrentDictionary<Slice, Slice> _listed = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _lock = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isCutOff;
    private volatile bool _isEnding;

    /// <summary>There are other replicas; else every limit is this one's alone.</summary>
    public bool IsOn => store is not null;

    /// <summary>The store could not be reached, and what is left of a slice has run out: then there is no limit at all.</summary>
    public bool ServesUnlimited => _isCutOff && whenCutOff() == CutOffShare.Serve;

    /// <summary>That of all meters: what is taken in a window is told of that window.</summary>
    public LimitClock Clock { get; } = new(time);

    public long Ticks => time.GetUtcNow().UtcTicks;

    public long Milliseconds => (long)time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>From now on it is exchanged. The turn of its meter is held.</summary>
    public void List(Slice slice)
    {
        if (!slice.IsListed)
        {
            slice.IsListed = true;
            _listed.TryAdd(slice, slice);
        }
    }

    /// <summary>It has nothing to say any more. The turn of its meter is held.</summary>
    public void Unlist(Slice slice)
    {
        slice.IsListed = false;
        _listed.TryRemove(slice, out _);
    }

    /// <summary>Waits for the next exchange, which begins at once, and a moment at most.</summary>
    public async Task AskAsync(CancellationToken cancellation)
    {
        Task next;
        lock (_lock)
        {
            next = _next.Task;
        }

        if (_wake.CurrentCount == 0)
        {
            try
            {
                _wake.Release();
            }
            catch (SemaphoreFullException)
            {
                // Somebody else has, in this moment.
            }
        }

        try
        {
            await next.WaitAsync(TimeSpan.FromMilliseconds(LongestAskMs), time, cancellation);
        }
        catch (TimeoutException)
        {
            // Then there is no more than there was.
        }
    }

    /// <summary>One exchange of all that is to be told and asked.</summary>
    public async Task ExchangeAsync(CancellationToken cancellation)
    {
        TaskCompletionSource done;
        lock (_lock)
        {
            // Who asks from here on needs another: this one does not know of them.
            (done, _next) = (_next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        try
        {
            foreach (var some in Collect().Chunk(MostAtOnce))
            {
                if (!await TryExchangeAsync(some, cancellation))
                {
                    break;
                }
            }
        }
        finally
        {
            done.TrySetResult();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Task? woken = null;
        while (store is not null && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                // Kept until it has happened: one that is given up may still take a call that was meant for the next.
                woken ??= _wake.WaitAsync(stoppingToken);
                using var interval = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                await Task.WhenAny(woken, Task.Delay(TimeSpan.FromMilliseconds(IntervalMs), time, interval.Token));
                await interval.CancelAsync();
                woken = woken.IsCompleted ? null : woken;
                await ExchangeAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Tells once more what was used, and lets go all that no running request needs: else the others would learn of neither, and wait for the rest.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (store is null || _isEnding)
        {
            return;
        }

        _isEnding = true;
        try
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(LastTimeoutMs), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
            await ExchangeAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            // What it holds ends with its time.
        }
    }

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

    private List<SliceAsk> Collect()
    {
        var asks = new List<SliceAsk>();
        var (now, milliseconds) = (Clock.Now(), Milliseconds);
        foreach (var (slice, _) in _listed)
        {
            if (slice.Meter.Ask(slice, now, milliseconds, _isEnding) is { } ask)
            {
                asks.Add(ask);
            }
        }

        return asks;
    }

    /// <returns>False if the store could not be reached.</returns>
    private async Task<bool> TryExchangeAsync(SliceAsk[] asks, CancellationToken cancellation)
    {
        try
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(StoreTimeoutMs), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, timeout.Token);
            var grants = await store!.ExchangeAsync(_replica, [.. asks.Select(Written)], either.Token);
            for (var i = 0; i < grants.Count; i++)
            {
                var isMoney = asks[i].Slice.Dimension >= Dimension.Day;
                asks[i].Slice.Meter.Answer(asks[i], ToUnits(grants[i].Held, isMoney), ToUnits(grants[i].UsedByAll, isMoney));
            }

            if (_isCutOff)
            {
                _isCutOff = false;
                Log.Back(logger);
            }

            return true;
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            if (!_isCutOff)
            {
                _isCutOff = true;
                Log.CutOff(logger, e, ExpirySeconds);
            }

            return false;
        }
    }

    private LimitAsk Written(SliceAsk ask)
    {
        var slice = ask.Slice;
        var isMoney = slice.Dimension >= Dimension.Day;
        return new LimitAsk(
            slice.Name, WindowName(slice.Dimension, ask.Window), FromUnits(slice.Limit, isMoney), FromUnits(ask.Used, isMoney), FromUnits(ask.Hold, isMoney),
            TimeSpan.FromSeconds(ExpirySeconds), EndOf(slice.Dimension, ask.Window));
    }

    private static decimal FromUnits(long units, bool isMoney) => isMoney ? Money.ToDollars(units) : units;

    private static long ToUnits(decimal amount, bool isMoney) => isMoney ? (long)decimal.Floor(amount * 1_000_000_000m) : (long)decimal.Floor(amount);

    private static string WindowName(Dimension dimension, long window) => dimension switch
    {
        Dimension.Concurrent => "now",
        Dimension.Total => "total",
        Dimension.Day => DateOnly.FromDayNumber((int)window).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        Dimension.Month => string.Create(CultureInfo.InvariantCulture, $"{window / 12:0000}-{(window % 12) + 1:00}"),
        _ => window.ToString(CultureInfo.InvariantCulture),
    };

    // A day later, where the clock of no place is behind any more.
    private static DateTimeOffset? EndOf(Dimension dimension, long window) => dimension switch
    {
        Dimension.Day => new DateTimeOffset(DateOnly.FromDayNumber((int)window).AddDays(2).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero),
        Dimension.Month => new DateTimeOffset((int)(window / 12), (int)(window % 12) + 1, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(1).AddDays(1),
        Dimension.Requests or Dimension.Tokens => new DateTimeOffset((window + 1) * TimeSpan.TicksPerMinute, TimeSpan.Zero),
        _ => null,
    };

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Limits could not be exchanged with the other replicas. What this one holds of them lasts for {Seconds} s at most.")]
        public static partial void CutOff(ILogger logger, Exception exception, int seconds);

        [LoggerMessage(2, LogLevel.Information, "Limits are exchanged with the other replicas again.")]
        public static partial void Back(ILogger logger);
    }
}
