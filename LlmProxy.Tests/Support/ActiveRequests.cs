using System.Diagnostics.Metrics;

namespace LlmProxy.Tests.Support;

/// <summary>Follows the in-flight gauge of one app, be it an up-down counter or observed.</summary>
public sealed class ActiveRequests : IDisposable
{
    public const string Name = "llmproxy.requests.active";

    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _observed = new(StringComparer.Ordinal);
    private long _sum;

    public ActiveRequests(IMeterFactory factory)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == Name && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                IsPublished = true;
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>True once the app has created the instrument.</summary>
    public bool IsPublished { get; private set; }

    public long Current
    {
        get
        {
            _listener.RecordObservableInstruments();
            lock (_lock)
            {
                return _sum + _observed.Values.Sum();
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Take(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            if (instrument.IsObservable)
            {
                _observed[string.Join(",", tags.ToArray().Select(t => $"{t.Key}={t.Value}"))] = value;
            }
            else
            {
                _sum += value;
            }
        }
    }
}
