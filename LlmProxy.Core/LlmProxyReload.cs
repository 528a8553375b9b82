using LlmProxy.Core.Accounting;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>Why a configuration could not replace the one in force.</summary>
/// <param name="At">When it was read.</param>
/// <param name="Problems">All that is wrong with it, each with its place. Never holds a secret.</param>
public sealed record LlmProxyReloadError(DateTimeOffset At, IReadOnlyList<ConfigurationProblem> Problems);

/// <summary>
/// The generations of the configuration. A file, and the section of an app, are watched: what is written there takes effect
/// about a second later, as a whole or not at all. Requests that run end on the generation they began with. Resolve it from DI.
/// </summary>
public sealed partial class LlmProxyReload
{
    private const int MostLosses = 20;

    private readonly OptionsSource? _source;
    private readonly LlmProxyOptions _started;
    private readonly LlmProxySnapshots _snapshots;
    private readonly UpstreamClients _clients;
    private readonly LiveStates _states;
    private readonly Accountant _accountant;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _turn = new();
    private readonly Lock _lock = new();

    private volatile LlmProxyReloadError? _lastError;
    private volatile IReadOnlyList<string> _needsRestart = [];
    private volatile IReadOnlyList<string> _files;
    private (LlmProxySnapshot Of, LlmProxyOutline Value)? _outline;
    private long _loaded;
    private string _applied;
    private HashSet<string> _warned;
    private string? _refused;

    internal LlmProxyReload(
        OptionsSource? source, OptionsReading first, LlmProxySnapshots snapshots, UpstreamClients clients, LiveStates states, Accountant accountant, TimeProvider time, ILogger<LlmProxyReload> logger)
    {
        (_source, _snapshots, _clients, _states, _accountant, _time, _logger) = (source, snapshots, clients, states, accountant, time, logger);
        (_started, _applied, _files) = (snapshots.Current.Options, first.Digest, first.Files);
        _warned = first.Warnings.Select(Text).ToHashSet(StringComparer.Ordinal);
        _loaded = time.GetUtcNow().UtcTicks;
        clients.Retain(snapshots.Current.Routes.Upstreams);
    }

    /// <summary>The generation in force: 1 at the start, one more with each reload that took effect. In records and debug headers too.</summary>
    public long Generation => _snapshots.Current.Generation;

    /// <summary>When the generation in force took effect.</summary>
    public DateTimeOffset Loaded => new(Interlocked.Read(ref _loaded), TimeSpan.Zero);

    /// <summary>Why what is written now is not in force; null if it is.</summary>
    public LlmProxyReloadError? LastError => _lastError;

    /// <summary>Members that were changed since the start and take effect with the next one only, for example <c>Listen › Api</c>.</summary>
    public IReadOnlyList<string> NeedsRestart => _needsRestart;

    /// <summary>What the generation in force offers.</summary>
    public LlmProxyOutline Outline
    {
        get
        {
            lock (_lock)
            {
                var current = _snapshots.Current;
                if (_outline?.Of != current)
                {
                    _outline = (current, LlmProxyOutline.Of(current));
                }

                return _outline.Value.Value;
            }
        }
    }

    /// <summary>The files that the configuration depends on, those of a refused one included.</summary>
    internal IReadOnlyList<string> Files => _files;

    internal OptionsSource? Source => _source;

    /// <summary>Reads the configuration again now, whether it was seen to change or not. For options made in code there is nothing to read.</summary>
    /// <returns>True if what is written is in force; otherwise <see cref="LastError"/> says why not.</returns>
    public Task<bool> ReloadAsync(CancellationToken cancellationToken = default) => _source is null
        ? Task.FromResult(true)
        : Task.Run(() => Read(reading => reading.Error is null ? TryApply(reading, isAsked: true) : Refuse(reading, isAsked: true)), cancellationToken);

    /// <summary>Reads the source and does something with it; one after the other, so that what was read first never comes in force last.</summary>
    internal bool Read(Func<OptionsReading, bool> use)
    {
        lock (_turn)
        {
            return use(_source!.Read());
        }
    }

    /// <summary>Puts a reading in force that can be used. Nothing is done if it saw the same as the one in force.</summary>
    internal bool TryApply(OptionsReading reading, bool isAsked = false)
    {
        lock (_lock)
        {
            _files = reading.Files;
            if (reading.Digest == _refused)
            {
                return false;
            }

            if (reading.Digest != _applied)
            {
                var old = _snapshots.Current;
                LlmProxySnapshot next;
                try
                {
                    next = new LlmProxySnapshot(reading.Options!, old);
                }
                catch (Exception e)
                {
                    Log.Failed(_logger, e);
                    return Note(reading, [new ConfigurationProblem(true, 0, "", "this configuration could not be put together; the log has more.")]);
                }

                var losses = LlmProxyOutline.Of(old).ChangesTo(next).Where(static c => c.TakesAccessAway).ToList();
                _clients.Retain(next.Routes.Upstreams);
                _snapshots.Replace(next, ended => _clients.Release(ended.Routes.Upstreams));
                _states.Retain(reading.Options!.Models.Keys);
                (_applied, _needsRestart) = (reading.Digest, RestartRules.Find(_started, reading.Options!));
                Interlocked.Exchange(ref _loaded, _time.GetUtcNow().UtcTicks);
                Tell(reading, next.Generation, losses);
            }
            else if (_lastError is not null || isAsked)
            {
                Log.Unchanged(_logger, _source!.Name, Generation);
            }

            (_lastError, _refused) = (null, null);
            return true;
        }
    }

    /// <summary>Keeps what is in force; says why, once for each way in which it is wrong unless somebody asks.</summary>
    internal bool Refuse(OptionsReading reading, bool isAsked = false)
    {
        lock (_lock)
        {
            _files = [.. reading.Files.Union(_files)];
            if (_refused == reading.Digest && !isAsked)
            {
                return false;
            }

            Log.Refused(_logger, _source!.Name, Generation, string.Join("; ", reading.Error!.Problems.Where(static p => p.IsError).Select(Words)));
            return Note(reading, reading.Error.Problems);
        }
    }

    /// <summary>True if this was refused before, and nothing is to be said of it any more.</summary>
    internal bool IsRefused(OptionsReading reading)
    {
        lock (_lock)
        {
            return _refused == reading.Digest;
        }
    }

    // Without its line: what was said before is not said again because something above it was written.
    private static string Text(ConfigurationProblem problem) => $"{problem.Path}: {problem.Message}";

    internal static string Words(ConfigurationProblem problem) =>
        (problem.Line > 0 ? $"line {problem.Line}: " : "") + (problem.Path.Length > 0 ? $"{problem.Path}: " : "") + problem.Message;

    private bool Note(OptionsReading reading, IReadOnlyList<ConfigurationProblem> problems)
    {
        _accountant.ReloadFailed();
        (_lastError, _refused) = (new LlmProxyReloadError(_time.GetUtcNow(), problems), reading.Digest);
        return false;
    }

    private void Tell(OptionsReading reading, long generation, List<LlmProxyChange> losses)
    {
        Log.Reloaded(_logger, _source!.Name, generation);
        var warnings = reading.Warnings.Select(Text).ToHashSet(StringComparer.Ordinal);
        foreach (var warning in reading.Warnings.Where(warning => !_warned.Contains(Text(warning))))
        {
            Log.Warned(_logger, _source.Name, Words(warning));
        }

        _warned = warnings;

        if (_needsRestart.Count > 0)
        {
            Log.NeedsRestart(_logger, string.Join(", ", _needsRestart));
        }

        foreach (var loss in losses.Take(MostLosses))
        {
            Log.TookAccessAway(_logger, generation, loss.Subject, loss.Text);
        }

        if (losses.Count > MostLosses)
        {
            Log.TookMoreAway(_logger, generation, losses.Count - MostLosses);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Source}: generation {Generation} is in force.")]
        public static partial void Reloaded(ILogger logger, string source, long generation);

        [LoggerMessage(2, LogLevel.Error, "{Source} has changed and cannot be used; generation {Generation} stays in force. {Problems}")]
        public static partial void Refused(ILogger logger, string source, long generation, string problems);

        [LoggerMessage(3, LogLevel.Information, "{Source} is what generation {Generation} was made of, which stays in force.")]
        public static partial void Unchanged(ILogger logger, string source, long generation);

        [LoggerMessage(4, LogLevel.Warning, "{Source}: {Warning}")]
        public static partial void Warned(ILogger logger, string source, string warning);

        [LoggerMessage(5, LogLevel.Warning, "Changed, and in force after a restart only: {Members}.")]
        public static partial void NeedsRestart(ILogger logger, string members);

        [LoggerMessage(6, LogLevel.Warning, "Generation {Generation} takes access away: {Subject}: {What}.")]
        public static partial void TookAccessAway(ILogger logger, long generation, string subject, string what);

        [LoggerMessage(7, LogLevel.Warning, "Generation {Generation} takes access away {Count} times more.")]
        public static partial void TookMoreAway(ILogger logger, long generation, int count);

        [LoggerMessage(8, LogLevel.Error, "A changed configuration could not be put together.")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
