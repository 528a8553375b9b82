using System.Buffers;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Benchmarks.Protocol;

/// <summary>
/// A request's body read: which members its top level has, and whether all of it is JSON. The baseline is one pass of the runtime's
/// reader over the same segments, which reading is to beat by 1.3 at least.
/// </summary>
[MemoryDiagnoser]
public class RequestScanBenchmarks
{
    private ReadOnlySequence<byte> _body;

    [ParamsAllValues]
    public RequestShape Shape { get; set; }

    /// <summary>The size of the server's blocks, or all in one piece.</summary>
    [Params(4096, int.MaxValue)]
    public int Segment { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var body = RequestBodies.Create(Shape);
        _body = Segment < body.Length ? AgentBody.InSegments(body, Segment) : new ReadOnlySequence<byte>(body);
    }

    [Benchmark(Baseline = true)]
    public long Reader()
    {
        var reader = new Utf8JsonReader(_body, new JsonReaderOptions { MaxDepth = 1000 });
        while (reader.Read())
        {
        }

        return reader.BytesConsumed;
    }

    [Benchmark]
    public object Fields() => RequestFields.Read(_body, FieldNames.Standard).Value!;
}
