using System.Globalization;
using System.Text;
using System.Threading.Channels;
using LlmProxy.Host.Terminal;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmProxy.Host.Logging;

/// <summary>
/// The log for people, on standard error, one readable line per entry. A thread of its own writes: where nobody reads the
/// pipe, entries are dropped and counted, and no request waits.
/// </summary>
internal sealed class StandardErrorLog : ILoggerProvider
{
    /// <summary>
    /// Hosting's two lines per request. Never wanted: they hold query strings, secrets included, and for as long as anybody
    /// could want them hosting makes an activity for each request.
    /// </summary>
    private const string LinesPerRequest = "Microsoft.AspNetCore.Hosting.Diagnostics";

    private const int MostWaiting = 4096;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Channel<string> _lines;
    private readonly Thread _writer;
    private long _dropped;

    public StandardErrorLog(TimeProvider time)
    {
        _time = time;
        _lines = Channel.CreateBounded(
            new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true },
            (string _) => Interlocked.Increment(ref _dropped));
        _writer = new Thread(Write) { IsBackground = true, Name = "log" };
        _writer.Start();
    }

    public ILogger CreateLogger(string categoryName) =>
        categoryName == LinesPerRequest ? NullLogger.Instance : new Category(this, categoryName);

    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _writer.Join(_patience);
    }

    private void Write()
    {
        while (_lines.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_lines.Reader.TryRead(out var line))
            {
                Say(line);
            }

            if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
            {
                Say(Line(LogLevel.Warning, "log", string.Create(CultureInfo.InvariantCulture, $"{dropped} entries were dropped: nobody read them in time"), null));
            }
        }
    }

    private static void Say(string line)
    {
        try
        {
            Writers.People.WriteLine(line);
        }
        catch (IOException)
        {
            // The terminal has gone. Nobody is left to be told, and those who are served need not know.
        }
    }

    private string Line(LogLevel level, string category, string message, Exception? exception)
    {
        var word = level switch
        {
            LogLevel.Critical => "fatal",
            LogLevel.Error => "error",
            LogLevel.Warning => "warn ",
            LogLevel.Information => "info ",
            _ => "debug",
        };
        var line = new StringBuilder()
            .Append(_time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture))
            .Append(' ').Append(word).Append("  ").Append(category).Append("  ").Append(Visible.Line(message));
        if (exception is not null)
        {
            foreach (var part in exception.ToString().Split('\n'))
            {
                line.Append("\n    ").Append(Visible.Line(part.TrimEnd()));
            }
        }

        return line.ToString();
    }

    private sealed class Category(StandardErrorLog log, string name) : ILogger
    {
        /// <summary>A start that fails is told by the command itself, in one sentence.</summary>
        private const int StartFailed = 11;

        private readonly bool _isHost = name == "Microsoft.Extensions.Hosting.Internal.Host";

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel) && !(_isHost && eventId.Id == StartFailed))
            {
                log._lines.Writer.TryWrite(log.Line(logLevel, name, formatter(state, exception), exception));
            }
        }
    }
}
