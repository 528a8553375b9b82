using System.Buffers;
using BenchmarkDotNet.Attributes;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmProxy.Benchmarks.Relaying;

/// <summary>
/// A whole stream from an upstream to a client, without the network: the relay, and a plain copy that waits, reads and
/// flushes in the same way.
/// </summary>
[MemoryDiagnoser]
public class EventRelayBenchmarks : IDisposable
{
    private readonly NoBooks _books = new();
    private const int Events = 1000;
    private const int MostUnflushed = 16 * 1024;

    private static readonly Action _nothing = static () => { };

    private readonly ClockWheel _wheel = new(TimeProvider.System);
    private readonly NullBody _client = new();
    private byte[] _stream = [];

    /// <summary>Bytes of text in each event, beyond the envelope.</summary>
    [Params(0, 4096)]
    public int Text { get; set; }

    /// <summary>Each event comes alone and is waited for, as a model writes; else they come in a burst, as many as fit.</summary>
    [Params(true, false)]
    public bool Paced { get; set; }

    [GlobalSetup]
    public void Setup() => _stream = ChatStream.Create(Events, Text);

    [GlobalCleanup]
    public void Dispose()
    {
        _wheel.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Events)]
    public async Task<long> Copy()
    {
        using Stream upstream = new ReplayedStream(_stream, Paced);
        var writer = _client.Writer;
        long bytes = 0;
        for (var unflushed = 0; ;)
        {
            var awaiter = upstream.ReadAsync(Memory<byte>.Empty).GetAwaiter();
            if (unflushed > (awaiter.IsCompleted ? MostUnflushed : 0))
            {
                await writer.FlushAsync();
                unflushed = 0;
            }

            if (!awaiter.IsCompleted)
            {
                awaiter.UnsafeOnCompleted(_nothing);
            }

            awaiter.GetResult();
            var count = await upstream.ReadAsync(writer.GetMemory(1024));
            if (count == 0)
            {
                return bytes;
            }

            writer.Advance(count);
            unflushed += count;
            bytes += count;
        }
    }

    [Benchmark(OperationsPerInvoke = Events)]
    public async Task<long> Relay()
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpResponseBodyFeature>(_client);
        using var upstream = new ReplayedStream(_stream, Paced);
        using var response = new HttpResponseMessage();
        using var answer = new UpstreamAnswer(response, AnswerKind.Events, ArrayPool<byte>.Shared.Rent(4096), 0, upstream);
        using var clock = new ExchangeClock(_wheel, CancellationToken.None);
        var wait = new QuietWait();
        clock.WatchQuiet(TimeSpan.FromSeconds(15), wait);
        clock.WatchReader(TimeSpan.FromSeconds(60));
        var client = new ClientStream(http, clock);
        await client.BeginAsync();
        var inspector = Dialect.Chat.CreateInspector(new StreamExpectation(1, false, default, false, new Redactor()));
        var plan = new EventRelayPlan(inspector, TimeSpan.FromMinutes(5), 16 << 20, "01", null, null, _books);
        var outcome = await new EventRelay(client, clock, wait, TimeProvider.System, plan).RunAsync(answer);
        return outcome.Error is null ? outcome.Bytes : throw new InvalidOperationException(outcome.Error.Message);
    }

    private sealed class NoBooks : IRelayBooks
    {
        public void Complete(RelayOutcome outcome)
        {
        }
    }
}
