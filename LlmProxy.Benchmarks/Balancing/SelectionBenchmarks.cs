using System.Buffers;
using BenchmarkDotNet.Attributes;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Balancing;

/// <summary>From a model's name to the target that is asked first, among 1,000 models and 20 upstreams. The baseline only finds the model.</summary>
[MemoryDiagnoser]
public class SelectionBenchmarks
{
    private const int Models = 1000;
    private const int Upstreams = 20;

    private readonly Caller _caller = new("key_01JD8Z4K", "engineering", [new ModelAllowance(["model-*"], static name => name)], debug: false);
    private readonly HeaderDictionary _headers = new() { ["Content-Type"] = "application/json", ["User-Agent"] = "bench" };
    private RouteTable _table = null!;
    private Balancer _balancer = null!;
    private ReadRequest _request;
    private string _asked = "";

    [Params(TargetBalance.InOrder, TargetBalance.Weighted, TargetBalance.LeastLoaded, TargetBalance.Affinity)]
    public TargetBalance Balance { get; set; }

    /// <summary>Of one model.</summary>
    [Params(2, Upstreams)]
    public int Targets { get; set; }

    /// <summary>The model is found by a pattern, its name at the upstream has a star.</summary>
    [Params(false, true)]
    public bool Pattern { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var options = new LlmProxyOptions();
        for (var i = 0; i < Upstreams; i++)
        {
            options.Upstreams[$"upstream-{i}"] = new UpstreamOptions { Url = new Uri($"http://10.0.0.{i}:8000"), Tags = { "eu" } };
        }

        for (var i = 0; i < Models; i++)
        {
            var model = options.Models[Pattern ? $"model-{i}-*" : $"model-{i}"] = new ModelOptions { Balance = Balance };
            for (var j = 0; j < Targets; j++)
            {
                model.Targets.Add(new TargetOptions { Upstream = $"upstream-{(i + j) % Upstreams}", Model = Pattern ? "up/*" : "up", Weight = 1 + (j % 2) });
            }
        }

        _asked = Pattern ? "model-500-large" : "model-500";
        _table = RouteTableCompiler.Compile(options);
        _balancer = new Balancer(new LiveStates(TimeProvider.System), TimeProvider.System);
        var body = new ReadOnlySequence<byte>("""{"model":"x","stream":true,"messages":[{"role":"user","content":"Why does the build fail?"}]}"""u8.ToArray());
        _request = new ReadRequest(new RequestBody(body, null), RequestFields.Read(body, _table.Fields).Value!);
    }

    [Benchmark(Baseline = true)]
    public object Resolve() => _table.Resolve(_asked, _caller, reveals: false).Value.Route;

    [Benchmark]
    public object? ResolveAndSelect() =>
        _balancer.TrySelect(_table.Resolve(_asked, _caller, reveals: false).Value, Operations.Chat, _caller, _request, _headers, out var selection)
            ? selection.Next(out _)
            : null;
}
