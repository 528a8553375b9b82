using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>
/// Looks whether the configuration has changed. By looking at its few files again and again rather than by being notified:
/// notifications run out (the kernel's instances and watches are few and shared), see nothing on network mounts, and follow
/// the file that a link led to, not the link. A look costs microseconds, and works the same everywhere.
/// </summary>
internal sealed partial class ReloadWatch(LlmProxyReload reload, TimeProvider time, ILogger<LlmProxyReload> logger) : IHostedService, IDisposable
{
    /// <summary>Between two looks. A change is read when two of them have seen the same, so after 0.8 s at most.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(400);

    /// <summary>For how long what cannot be used may still be on its way: half a file, or none between removal and renaming.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _turn = new(1);
    private IDisposable? _following;
    private ITimer? _timer;
    private FileStamp[] _seen = [];
    private bool _isDue;
    private int _isToldOf;
    private volatile bool _isStopped;
    private string? _doubtful;
    private long _doubtfulSince;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (reload.Source is { } source)
        {
            _following = source.Follow(() => Volatile.Write(ref _isToldOf, 1));
            // A thread of its own: the files may be on a network that does not answer.
            _timer = DedicatedTimer.Create(time, "LlmProxy reload", () => TryLook(source));
            _timer.Change(Period, Period);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _isStopped = true;
        _timer?.Dispose();

        // None is under way, and none begins any more.
        await _turn.WaitAsync(cancellationToken);
        _turn.Release();
    }

    public void Dispose()
    {
        _following?.Dispose();
        _timer?.Dispose();
    }

    /// <summary>One look.</summary>
    public void Look(OptionsSource source)
    {
        var now = Stamps();
        if (!now.AsSpan().SequenceEqual(_seen))
        {
            // Whoever writes it may not be done.
            (_seen, _isDue) = (now, true);
        }
        else if (_isDue | Interlocked.Exchange(ref _isToldOf, 0) != 0)
        {
            var files = reload.Files;
            _isDue = !TryRead(source) || now.Any(stamp => stamp.IsYoung(time.GetUtcNow()));
            if (!reload.Files.SequenceEqual(files))
            {
                // Other files are named now, which may have changed since they were read.
                (_seen, _isDue) = (Stamps(), true);
            }
        }
    }

    private void TryLook(OptionsSource source)
    {
        if (!_turn.Wait(0))
        {
            return;
        }

        try
        {
            if (!_isStopped)
            {
                Look(source);
            }
        }
        catch (Exception e)
        {
            // On a thread of nobody's it would end the process.
            Log.Failed(logger, e, source.Name);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <returns>False if it has to be looked at again soon.</returns>
    private bool TryRead(OptionsSource source)
    {
        try
        {
            return reload.Read(TryUse);
        }
        catch (Exception e)
        {
            // Whatever an app's own check throws, the watch goes on.
            Log.Failed(logger, e, source.Name);
            return true;
        }
    }

    private bool TryUse(OptionsReading reading)
    {
        if (reading.Error is null)
        {
            _doubtful = null;
            reload.TryApply(reading);
            return true;
        }

        if (reload.IsRefused(reading))
        {
            return true;
        }

        if (_doubtful != reading.Digest)
        {
            (_doubtful, _doubtfulSince) = (reading.Digest, time.GetTimestamp());
            return false;
        }

        if (time.GetElapsedTime(_doubtfulSince) < Patience)
        {
            return false;
        }

        reload.Refuse(reading);
        return true;
    }

    private FileStamp[] Stamps() => [.. reload.Files.Select(FileStamp.Of)];

    private static partial class Log
    {
        [LoggerMessage(9, LogLevel.Error, "{Source} could not be read again.")]
        public static partial void Failed(ILogger logger, Exception exception, string source);
    }
}
