using System.Buffers;
using System.Text;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Balancing;

/// <summary>One model with targets, whose requests choose by a fixed seed and a clock that stands still.</summary>
internal sealed class Choosing
{
    public const string Model = "m";
    private readonly RouteTable _table;
    private readonly Balancer _balancer;

    /// <param name="targets">The weight and the priority of each; their upstreams are called a, b, c, ….</param>
    /// <param name="change">The rest of the configuration.</param>
    /// <param name="seed">Of chance.</param>
    public Choosing((int? Weight, int? Priority)[] targets, Action<LlmProxyOptions, ModelOptions>? change = null, int seed = 1)
    {
        var options = new LlmProxyOptions();
        var model = options.Models[Model] = new ModelOptions();
        for (var i = 0; i < targets.Length; i++)
        {
            var name = NameOf(i);
            options.Upstreams[name] = new UpstreamOptions { Kind = UpstreamKind.OpenAI, Url = new Uri($"http://{name}{name}{name}{name}.example"), ApiKey = "key-of-" + name };
            model.Targets.Add(new TargetOptions { Upstream = name, Model = Model, Weight = targets[i].Weight, Priority = targets[i].Priority });
        }

        change?.Invoke(options, model);
        Options = options;
        States = new LiveStates(Clock, new Random(seed));
        _balancer = new Balancer(States, Clock);
        _table = RouteTableCompiler.Compile(options);
    }

    public FakeTimeProvider Clock { get; } = new();

    public LlmProxyOptions Options { get; }

    public LiveStates States { get; }

    public Route Route => _table.Resolve(Model, Anybody, reveals: false).Value.Route;

    public static Caller Anybody { get; } = CallerOf("anybody");

    public static Caller CallerOf(string id, params string[] tags) => new(id, null, [], false, tags);

    public static string NameOf(int index) => ((char)('a' + index)).ToString();

    /// <summary>So many targets that say nothing of themselves.</summary>
    public static (int? Weight, int? Priority)[] Plain(int count) => new (int?, int?)[count];

    public UpstreamState StateOf(string upstream) => States.Of(_table.Upstreams.Single(u => u.Name == upstream));

    public Selection? TrySelect(
        string body = """{"model":"m"}""", Caller? caller = null, Operations operation = Operations.Chat, params (string Name, string Value)[] headers) =>
        Prepare(body, caller, operation, headers)();

    public Selection Select(
        string body = """{"model":"m"}""", Caller? caller = null, Operations operation = Operations.Chat, params (string Name, string Value)[] headers) =>
        TrySelect(body, caller, operation, headers)!.Value;

    /// <summary>Reads a request; what is left to do of it is the choice.</summary>
    public Func<Selection?> Prepare(string body, Caller? caller, Operations operation, params (string Name, string Value)[] headers)
    {
        var bytes = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body));
        var read = new ReadRequest(new RequestBody(bytes, null), RequestFields.Read(bytes, _table.Fields).Value!);
        var asked = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            asked[name] = value;
        }

        return () => _balancer.TrySelect(
            _table.Resolve(read.Fields.Model, caller ?? Anybody, reveals: false).Value, operation, caller ?? Anybody, read, asked, out Selection selection) ? selection : null;
    }

    /// <summary>The one that is chosen first.</summary>
    public Candidate Choose(string body = """{"model":"m"}""", Caller? caller = null, Operations operation = Operations.Chat, params (string Name, string Value)[] headers) =>
        Select(body, caller, operation, headers).Next(out _)!;

    /// <summary>The name of the upstream that is chosen first.</summary>
    public string Name(string body = """{"model":"m"}""", Caller? caller = null, Operations operation = Operations.Chat, params (string Name, string Value)[] headers) =>
        Choose(body, caller, operation, headers).Target.Upstream.Name;

    /// <summary>All in the order in which they are asked.</summary>
    public static string Order(Selection selection)
    {
        var order = new StringBuilder();
        while (selection.Next(out _) is { } candidate)
        {
            order.Append(candidate.Target.Upstream.Name);
        }

        return order.ToString();
    }

    /// <summary>It can be asked no more for the next minute.</summary>
    public void TakeOut(string upstream) =>
        StateOf(upstream).Failed(Model, ProxyErrors.AuthError with { Cause = FailureCause.KeyRefused }, Core.Balancing.Clock.Ms(Clock));

    /// <summary>How often each is chosen first.</summary>
    public Dictionary<string, int> Count(int requests, Func<int, string>? choose = null) =>
        Enumerable.Range(0, requests).Select(choose ?? (_ => Name())).GroupBy(name => name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
}
