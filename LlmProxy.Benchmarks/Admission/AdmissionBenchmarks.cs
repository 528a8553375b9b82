using System.Buffers;
using System.Diagnostics;
using BenchmarkDotNet.Attributes;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Benchmarks.Admission;

/// <summary>
/// From a caller to a lease and back again, for 100,000 keys in 1,000 groups: each key with limits of requests, tokens, concurrency and
/// two budgets, each group with as many. The baseline is what comes before it and waits for the same memory: a caller that is found, and
/// looked at as the check of its key does. What admission costs is the difference.
/// </summary>
/// <remarks>
/// For the way from a header to a caller see <c>KeyCheckBenchmarks</c>. All is held until the lease is settled, which happens at once: what the
/// key has in memory is in a cache by then. Each key comes once in 100,000 requests and each group once in 1,000, so nothing of a key is in a
/// cache, and of a group not all.
/// </remarks>
[MemoryDiagnoser]
public class AdmissionBenchmarks
{
    private const int Keys = 100_000;
    internal const int Groups = 1000;

    // Prime to the number of keys: all of them come, none near the one before.
    private const int Stride = 48_271;

    private readonly HeaderDictionary _headers = new() { ["Content-Type"] = "application/json", ["X-User"] = "anna@example.com" };
    private readonly Caller[] _limited = new Caller[Keys];
    private readonly Caller[] _free = new Caller[Keys];
    private readonly Endpoint _endpoint = EndpointTable.Rows[0];
    private Admitter _admitter = null!;
    private ReadRequest _request;
    private RouteMatch _route;
    private Lease _lease;
    private int _next;

    /// <summary>A request of a chat, or one of a coding agent of 72 kB.</summary>
    [Params(false, true)]
    public bool Agent { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var options = new LlmProxyOptions();
        options.Upstreams["main"] = new UpstreamOptions { Url = new Uri("http://10.0.0.1:8000") };
        options.Models["*"] = new ModelOptions
        {
            Targets = { new TargetOptions { Upstream = "main", Model = "up", Price = new PriceOptions { Input = 3, Output = 15, CachedInput = 0.3m } } },
        };
        var table = RouteTableCompiler.Compile(options);
        var pools = Enumerable.Range(0, Groups).Select(_ => Allow(new GroupOptions(), 1_000_000)).ToArray();
        for (var i = 0; i < Keys; i++)
        {
            var group = i % Groups;
            _limited[i] = new Caller($"key_{i}", $"group_{group}", [], debug: false) { Own = Allow(new KeyOptions(), 1000), Pool = pools[group] };
            _free[i] = new Caller($"free_{i}", null, [], debug: false);
        }

        _admitter = new Admitter(new Meters(TimeProvider.System), new AnswerBook());
        var body = new ReadOnlySequence<byte>(Agent
            ? AgentBody.Create()
            : """{"model":"x","stream":true,"max_tokens":500,"messages":[{"role":"user","content":"Why does the build fail?"}]}"""u8.ToArray());
        _request = new ReadRequest(new RequestBody(body, null), RequestFields.Read(body, table.Fields).Value!);
        _route = table.Resolve("model-large", _free[0], reveals: false).Value;
        // As in a process that has run for a while: everybody has asked in several seconds, and what has been made for that lies close together.
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(2.5);)
        {
            Array.ForEach(_limited, caller => Admit(caller));
            Array.ForEach(_free, caller => Admit(caller));
        }

        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
    }

    [Benchmark(Baseline = true)]
    public bool Found()
    {
        var caller = _limited[Next()];

        // Which is the next depends on this one, so that it is waited for as a request has to, and several are not under way at once.
        _next += caller.UpstreamTags.Length;
        return IsServed(caller);
    }

    [Benchmark]
    public bool Unlimited() => _free[Next()] is var caller && IsServed(caller) && Admit(caller);

    [Benchmark]
    public bool KeyAndGroup() => _limited[Next()] is var caller && IsServed(caller) && Admit(caller);

    /// <summary>One key whose memory is in a cache.</summary>
    [Benchmark]
    public bool SameKeyAgain() => IsServed(_limited[0]) && Admit(_limited[0]);

    /// <summary>One request of one of the limited keys; for several threads at once.</summary>
    internal bool AdmitOne(int key, ref Lease lease) => Admit(_limited[key], ref lease);

    private static bool IsServed(Caller caller) =>
        caller.RefusalAt(TimeProvider.System) is null && (caller.Operations & Operations.Chat) != 0 && caller.Allows("model-large");

    private int Next() => _next = (_next + Stride) % Keys;

    private bool Admit(Caller caller) => Admit(caller, ref _lease);

    private bool Admit(Caller caller, ref Lease lease)
    {
        var refused = _admitter.Reserve(caller, _endpoint, _route, _request, _headers, UnpricedModels.Refuse, ref lease, out _);
        lease.Settle(1200, 0.0042m);
        return refused is null;
    }

    private static T Allow<T>(T allowance, int many)
        where T : AllowanceOptions
    {
        // No benchmark uses them up: what is refused is another way.
        allowance.RequestsPerMinute = 2_000_000_000;
        allowance.TokensPerMinute = 1_000_000_000_000_000;
        allowance.Concurrent = many;
        allowance.Budget = new BudgetOptions { Day = 100_000_000, Month = 1_000_000_000 };
        return allowance;
    }
}
