using BenchmarkDotNet.Attributes;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Authentication;

/// <summary>Who calls, among 10,000 keys. The baseline is one look into a dictionary of as many strings.</summary>
[MemoryDiagnoser]
public class KeyCheckBenchmarks
{
    private const int Keys = 10_000;

    private readonly Dictionary<string, object> _plain = new(StringComparer.Ordinal);
    private readonly DefaultHttpContext _http = new();
    private KeyRing _keys = null!;
    private string _header = "";
    private ClientHeaders _seen;

    [GlobalSetup]
    public void Setup()
    {
        var options = new LlmProxyOptions();
        for (var i = 0; i < Keys; i++)
        {
            options.Keys[$"key{i}"] = new KeyOptions { Key = $"sk-key-of-the-benchmarks-{i:00000}" };
            _plain[$"Bearer sk-key-of-the-benchmarks-{i:00000}"] = this;
        }

        _keys = new LlmProxySnapshot(options).Keys;
        _header = "Bearer sk-key-of-the-benchmarks-04711";
        _http.Request.Headers.Authorization = _header;
        _seen = ClientHeaderScan.Of(_http.Request.Headers);
        Known();
    }

    [Benchmark(Baseline = true)]
    public object Dictionary() => _plain[_header];

    /// <summary>The header's string is that of the connection's request before.</summary>
    [Benchmark]
    public bool Known() => Authenticator.Authenticate(_http, _seen, _keys, TimeProvider.System, null, out _).TryGet(out _, out _);

    /// <summary>A connection's first request.</summary>
    [Benchmark]
    public object? Hashed() => _keys.Find(_header.AsSpan(7), TimeProvider.System, out _);
}
