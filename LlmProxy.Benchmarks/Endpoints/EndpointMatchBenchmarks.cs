using BenchmarkDotNet.Attributes;
using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Endpoints;

/// <summary>Which operation is it, and which of the client's headers matter. The baseline compares the path with the one that it is.</summary>
[MemoryDiagnoser]
public class EndpointMatchBenchmarks
{
    private readonly DefaultHttpContext _http = new();

    [Params("/chat/completions", "/responses", "/responses/resp_68a1f0c2d3b4", "/messages")]
    public string Path { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _http.Request.Method = Path.EndsWith("d3b4", StringComparison.Ordinal) ? "GET" : "POST";
        _http.Request.Path = "/v1" + Path;
        var headers = _http.Request.Headers;
        headers.Host = "127.0.0.1:8080";
        headers.Accept = "application/json";
        headers.Authorization = "Bearer sk-key-of-the-benchmarks";
        headers.UserAgent = "OpenAI/Python 2.8.0";
        headers["X-Stainless-Lang"] = "python";
        headers["X-Stainless-Retry-Count"] = "0";
        headers.ContentType = "application/json";
        headers.ContentLength = 107;
    }

    [Benchmark(Baseline = true)]
    public bool Compare() => string.Equals(_http.Request.Path.Value, Path, StringComparison.OrdinalIgnoreCase);

    [Benchmark]
    public object Match() => EndpointTable.Match(_http.Request, Path).Dialect;

    [Benchmark]
    public int ScanHeaders() => (int)ClientHeaderScan.Of(_http.Request.Headers);
}
