using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Tests.Support;

/// <summary>One log entry with everything a provider could have written of it.</summary>
public sealed record LogEntry(string Category, LogLevel Level, EventId Event, string Text)
{
    public override string ToString() => $"{Level} {Category}: {Text}";
}

/// <summary>Keeps every log entry of an app, of every level.</summary>
public sealed class CapturedLogs : ILoggerProvider
{
    private readonly ConcurrentQueue<LogEntry> _entries = new();

    public IReadOnlyCollection<LogEntry> Entries => _entries;

    public IEnumerable<LogEntry> Of(string categoryStart) =>
        _entries.Where(e => e.Category.StartsWith(categoryStart, StringComparison.Ordinal));

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _entries);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<LogEntry> entries) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            string values = state is IEnumerable<KeyValuePair<string, object?>> pairs
                ? string.Join(", ", pairs.Select(p => $"{p.Key}={p.Value}"))
                : "";
            entries.Enqueue(new LogEntry(category, logLevel, eventId, $"{formatter(state, exception)} [{values}] {exception}"));
        }
    }
}
