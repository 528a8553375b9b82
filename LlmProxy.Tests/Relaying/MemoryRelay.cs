using System.Buffers;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Relaying;

/// <summary>One relay from memory to memory, on the thread of the test.</summary>
internal sealed class MemoryRelay : IRelayBooks, IDisposable
{
    private readonly ClockWheel _wheel;
    private readonly HttpResponseMessage _response = new();

    public MemoryRelay(bool keeps = true)
    {
        Body = new MemoryBody(keeps);
        _wheel = new ClockWheel(Time);
        Clock = new ExchangeClock(_wheel, CancellationToken.None);
    }

    public FakeTimeProvider Time { get; } = new();

    public MemoryBody Body { get; }

    public ExchangeClock Clock { get; }

    public StreamExpectation Expectation { get; init; } = Inspected.Expectation();

    public Dialect Dialect { get; init; } = Dialect.Chat;

    public IResponseFilter[] Filters { get; init; } = [];

    public TimeSpan Heartbeat { get; init; }

    public TimeSpan Idle { get; init; }

    public int LargestEvent { get; init; } = 16 << 20;

    /// <summary>How it ended, as the exchange is told before the end goes out; null if it never was.</summary>
    public RelayOutcome? Completed { get; private set; }

    /// <summary>Relays a stream of these pieces to its end.</summary>
    public static async Task<MemoryRelay> RunAsync(params IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var relay = new MemoryRelay();
        await relay.RunAsync(new FedStream(pieces));
        return relay;
    }

    /// <returns>How it ended; an end that must not look whole is an exception on a server like this, and that is caught.</returns>
    public async Task<RelayOutcome> RunAsync(Stream upstream, ReadOnlyMemory<byte> read = default)
    {
        SynchronizationContext.SetSynchronizationContext(null);
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpResponseBodyFeature>(Body);
        var held = ArrayPool<byte>.Shared.Rent(Math.Max(1, read.Length));
        read.CopyTo(held);
        using var answer = new UpstreamAnswer(_response, AnswerKind.Events, held, read.Length, upstream);
        var wait = new QuietWait();
        Clock.WatchQuiet(Heartbeat, wait);
        var client = new ClientStream(http, Clock);
        await client.BeginAsync();
        var filters = Filters.Length == 0 ? null : new ResponseFilters(Filters, new LlmResponse("chat", "tester", "m"), () => Dialect.CreateInspector(Expectation));
        var plan = new EventRelayPlan(
            Dialect.CreateInspector(Expectation), Idle, LargestEvent, "id-1", null, filters, this);
        try
        {
            return await new EventRelay(client, Clock, wait, Time, plan).RunAsync(answer);
        }
        catch (BrokenStreamException) when (Completed is { Error: not null } broken)
        {
            return broken;
        }
    }

    void IRelayBooks.Complete(RelayOutcome outcome) => Completed = outcome;

    public void Dispose()
    {
        Clock.Dispose();
        _wheel.Dispose();
        _response.Dispose();
    }
}
