using BenchmarkDotNet.Attributes;

namespace LlmProxy.Benchmarks.Requests;

/// <summary>
/// A small request through server, pipeline, HTTP client and back, one after the other on one connection. The baseline asks the
/// upstream itself. What counts is <c>Allocated</c>: all of it is the app's, server and HTTP client included.
/// </summary>
[MemoryDiagnoser]
public class WholeRequestBenchmarks : IDisposable
{
    private WholeRequest _whole = null!;

    /// <summary>Of a stream; 0 for a whole answer.</summary>
    [Params(0, 20, 1000)]
    public int Events { get; set; }

    [GlobalSetup]
    public void Setup() => _whole = new WholeRequest(Events);

    [GlobalCleanup]
    public void Dispose()
    {
        _whole.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public int Direct() => _whole.Direct();

    [Benchmark]
    public int Proxied() => _whole.Proxied();
}
