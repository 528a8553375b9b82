using BenchmarkDotNet.Attributes;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Benchmarks.Protocol;

/// <summary>
/// A whole stream, event by event: found, and looked into. The baseline only copies the same bytes; <see cref="FindLineFeeds"/> finds
/// the ends of its lines with the runtime's search, and finding events is to cost at most twice that.
/// </summary>
[MemoryDiagnoser]
public class EventScanBenchmarks
{
    private const int Events = 1000;

    private byte[] _stream = [];
    private byte[] _copy = [];
    private StreamInspector? _inspector;

    /// <summary>Bytes of text in each event, beyond the envelope.</summary>
    [Params(0, 4096)]
    public int Text { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _stream = ChatStream.Create(Events, Text);
        _copy = new byte[_stream.Length];
        _inspector = Dialect.Chat.CreateInspector(new StreamExpectation(1, false, default, false, new Redactor()));
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Events)]
    public void Copy() => _stream.CopyTo(_copy.AsSpan());

    [Benchmark(OperationsPerInvoke = Events)]
    public int FindLineFeeds()
    {
        var lines = 0;
        var rest = _stream.AsSpan();
        for (int at; (at = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(at + 1)..])
        {
            lines++;
        }

        return lines;
    }

    [Benchmark(OperationsPerInvoke = Events)]
    public int Scan()
    {
        var scanner = new SseScanner();
        var events = 0;
        for (var rest = _stream.AsSpan(); scanner.TryRead(rest, out var found); rest = rest[found.Length..])
        {
            events++;
        }

        return events;
    }

    [Benchmark(OperationsPerInvoke = Events)]
    public bool ScanAndInspect()
    {
        var scanner = new SseScanner();
        var inspector = _inspector!;
        for (var rest = _stream.AsSpan(); scanner.TryRead(rest, out var found); rest = rest[found.Length..])
        {
            inspector.Inspect(rest[..found.Length], found);
        }

        return inspector.IsFinished;
    }
}
