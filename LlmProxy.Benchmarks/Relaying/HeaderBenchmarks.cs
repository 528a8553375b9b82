using System.Buffers;
using BenchmarkDotNet.Attributes;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Relaying;

/// <summary>
/// Headers, up and down, those that OpenAI's client sends and those that its API answers with. The baselines copy all of them; ours are chosen by
/// an allow-list, checked, signed in or out, and have the proxy's own among them.
/// </summary>
[MemoryDiagnoser]
public class HeaderBenchmarks
{
    private readonly LoopGuard _loops = new();
    private readonly HeaderDictionary _asked = new()
    {
        ["Accept"] = "application/json",
        ["Accept-Encoding"] = "gzip, deflate",
        ["Authorization"] = "Bearer sk-client",
        ["Connection"] = "keep-alive",
        ["Content-Length"] = "204",
        ["Content-Type"] = "application/json",
        ["Host"] = "127.0.0.1:8080",
        ["User-Agent"] = "OpenAI/Python 2.6.1",
        ["X-Stainless-Arch"] = "x64",
        ["X-Stainless-Async"] = "false",
        ["X-Stainless-Lang"] = "python",
        ["X-Stainless-OS"] = "Linux",
        ["X-Stainless-Package-Version"] = "2.6.1",
        ["X-Stainless-Retry-Count"] = "0",
        ["X-Stainless-Runtime"] = "CPython",
        ["X-Stainless-Runtime-Version"] = "3.13.1",
    };

    private readonly HttpResponseMessage _response = new();
    private readonly DefaultHttpContext _http = new();
    private readonly ResponseHeaders _ours = new("01JD8Z4K9V2M7Q3X5T6W8Y0ABC", null, TimeSpan.FromMicroseconds(61));
    private UpstreamAnswer _answer = null!;
    private ForwardRequest _request = null!;
    private Target _target = null!;

    [GlobalSetup]
    public void Setup()
    {
        foreach (var (name, value) in ((string, string)[])[
            ("Date", "Thu, 26 Nov 2026 08:00:00 GMT"), ("Connection", "keep-alive"), ("Server", "cloudflare"), ("openai-organization", "acme"),
            ("openai-processing-ms", "412"), ("openai-version", "2020-10-01"), ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "2000000"), ("x-ratelimit-remaining-requests", "9999"), ("x-ratelimit-remaining-tokens", "1999980"),
            ("x-ratelimit-reset-requests", "6ms"), ("x-ratelimit-reset-tokens", "0s"), ("x-request-id", "req_6f0e4a4f8b0d4a55"), ("CF-RAY", "9a1-FRA")])
        {
            _response.Headers.TryAddWithoutValidation(name, value);
        }

        _answer = new UpstreamAnswer(_response, AnswerKind.Json, ArrayPool<byte>.Shared.Rent(16), 0, Stream.Null);
        var options = new LlmProxyOptions
        {
            Upstreams = { ["up"] = new UpstreamOptions { Url = new Uri("http://10.0.0.1:8000/v1"), ApiKey = "sk-upstream" } },
            Models = { ["m"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "up", Model = "large" } } } },
        };
        var table = RouteTableCompiler.Compile(options);
        var caller = new Caller("key", null, [new ModelAllowance(["*"], static name => name)], debug: false);
        var body = new ReadOnlySequence<byte>("""{"model":"m","messages":[{"role":"user","content":"Why does the build fail?"}]}"""u8.ToArray());
        var read = new ReadRequest(new RequestBody(body, null), RequestFields.Read(body, table.Fields).Value!);
        new Balancer(new LiveStates(TimeProvider.System), TimeProvider.System).TrySelect(
            table.Resolve("m", caller, reveals: false).Value, Operations.Chat, caller, read, _asked, out var selection);
        _target = selection.Next(out _)!.Target;
        _http.Request.Method = "POST";
        var endpoint = EndpointTable.Match(_http.Request, "/chat/completions").Endpoint!;
        _request = new ForwardRequest(endpoint, "", "", selection, read.Fields, read.Body, _asked, null, null) { Seen = ClientHeaderScan.Of(_asked) };
    }

    [Benchmark(Baseline = true)]
    public int Copy()
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, _target.AddressOf(_request.Endpoint, "", "", ""));
        foreach (var (name, value) in _asked)
        {
            message.Headers.TryAddWithoutValidation(name, value.ToString());
        }

        var headers = _http.Response.Headers;
        headers.Clear();
        foreach (var (name, value) in _response.Headers.NonValidated)
        {
            headers[name] = value.ToString();
        }

        return headers.Count;
    }

    /// <summary>A request as it goes up, its content apart.</summary>
    [Benchmark]
    public object Up()
    {
        using var message = UpstreamRequest.Build(_request, _target, [], _loops);
        return message.Headers;
    }

    /// <summary>An answer's headers as they go down.</summary>
    [Benchmark]
    public int Down()
    {
        _http.Response.Headers.Clear();
        _ours.Apply(_http.Response, _answer);
        return _http.Response.Headers.Count;
    }
}
