using System.Buffers;
using System.Text;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Admission;

/// <summary>The fifth stage alone: one model that costs a dollar for a million tokens of input and two for as many of output.</summary>
internal sealed class Admitting
{
    public const string Model = "m";

    private readonly Meters _meters;

    /// <param name="change">The rest of the configuration.</param>
    /// <param name="sharing">With other replicas; null: none.</param>
    /// <param name="clock">Null: one that stands still at noon.</param>
    public Admitting(Action<LlmProxyOptions>? change = null, TimeProvider? clock = null, LimitSharing? sharing = null)
    {
        Options.Upstreams["main"] = new UpstreamOptions { Kind = UpstreamKind.OpenAI, Url = new Uri("http://main.example") };
        Options.Models[Model] = new ModelOptions
        {
            Targets = { new TargetOptions { Upstream = "main", Model = "up", Price = new PriceOptions { Input = 1, Output = 2 } } },
        };
        change?.Invoke(Options);
        Table = RouteTableCompiler.Compile(Options);
        _meters = new Meters(clock ?? Clock, sharing);
        Admitter = new Admitter(_meters, new AnswerBook());
    }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));

    public LlmProxyOptions Options { get; } = new();

    public Meters Meters => _meters;

    public Admitter Admitter { get; }

    public RouteTable Table { get; }

    public static Caller CallerOf(
        AllowanceOptions? own = null, GroupOptions? pool = null, string id = "anna", TimeZoneInfo? zone = null, TimeZoneInfo? poolZone = null) =>
        new(id, pool is null ? null : "team", [], debug: false)
        {
            Own = own ?? new KeyOptions(),
            Pool = pool,
            Zone = zone ?? TimeZoneInfo.Utc,
            PoolZone = poolZone ?? zone ?? TimeZoneInfo.Utc,
        };

    /// <summary>A body of 4,000 bytes, taken for 1,000 tokens, whose answer may have so many.</summary>
    public static string Body(int answer = 1000, string more = "")
    {
        var begin = FormattableString.Invariant($"{{\"model\":\"m\",\"max_tokens\":{answer}{more},\"messages\":[{{\"role\":\"user\",\"content\":\"");
        const string end = "\"}]}";
        return begin + new string('.', 4000 - begin.Length - end.Length) + end;
    }

    public ReadRequest Read(string body)
    {
        var bytes = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body));
        return new ReadRequest(new RequestBody(bytes, null), RequestFields.Read(bytes, Table.Fields).Value!);
    }

    public RouteMatch Route(string model = Model) => Table.Resolve(model, CallerOf(), reveals: false).Value;

    /// <summary>Asks to be let in.</summary>
    /// <returns>The error, or null and a lease.</returns>
    public ProxyError? Reserve(Caller caller, Slot slot, string? body = null, Operations operation = Operations.Chat, params (string Name, string Value)[] headers)
    {
        var request = Read(body ?? Body());
        var asked = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            asked[name] = value;
        }

        return Admitter.Reserve(
            caller, EndpointTable.Rows.First(e => e.Operation == operation), Route(request.Fields.Model), request, asked, Options.UnpricedModels, ref slot.Lease, out slot.MayAsk);
    }

    public ProxyError? Reserve(Caller caller, string? body = null) => Reserve(caller, new Slot(), body);

    /// <summary>Lets one in, or fails.</summary>
    public Slot Enter(Caller caller, string? body = null)
    {
        var slot = new Slot();
        return Reserve(caller, slot, body) is { } error ? throw new InvalidOperationException(error.Message) : slot;
    }

    /// <summary>How many get in, one after the other, until the first does not.</summary>
    public int CountAdmitted(Caller caller, string? body = null)
    {
        var count = 0;
        while (count < 10_000 && Reserve(caller, body) is null)
        {
            count++;
        }

        return count;
    }

    /// <summary>What an exchange keeps its lease in.</summary>
    internal sealed class Slot
    {
        public Lease Lease;
        public bool MayAsk;
    }
}
