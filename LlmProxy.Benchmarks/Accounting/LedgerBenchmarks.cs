using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmProxy.Benchmarks.Accounting;

/// <summary>What the ledger costs a request: from what is known at its end to a row that survives the process. The baseline has no ledger.</summary>
[MemoryDiagnoser]
public class LedgerBenchmarks : IDisposable
{
    private static readonly byte[] _raw =
        """{"prompt_tokens":1234,"completion_tokens":567,"total_tokens":1801,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":128,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"""u8.ToArray();

    private readonly Caller _caller = new("key_01JD8Z4K", "engineering", [], debug: false);
    private readonly Price _price = new(new PriceOptions { Input = 3, CachedInput = 0.3m, Output = 15 });
    private string _directory = "";
    private Ledger _ledger = null!;
    private Ledger _none = null!;
    private Settlement _settlement = null!;
    private Settlement _without = null!;

    [GlobalSetup]
    public void Setup()
    {
        _directory = Directory.CreateTempSubdirectory("llmproxy-bench-").FullName;
        var metrics = new ProxyMetrics(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>(), TimeProvider.System);
        _ledger = new Ledger(new DroppingStore(), new LedgerSettings { Directory = _directory }, metrics, TimeProvider.System, NullLogger<Ledger>.Instance);
        _ledger.StartingAsync(default);
        _none = new Ledger(null, null, metrics, TimeProvider.System, NullLogger<Ledger>.Instance);
        _settlement = new Settlement(_ledger, new TokenRates(), metrics, TimeProvider.System);
        _without = new Settlement(_none, new TokenRates(), metrics, TimeProvider.System);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _ledger.Dispose();
        _none.Dispose();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public object WithoutLedger() => Run(_without);

    [Benchmark]
    public object WithLedger() => Run(_settlement);

    private Exchange Run(Settlement settlement)
    {
        var exchange = new Exchange
        {
            Id = "01KAZ0000000000000000000",
            Started = 1,
            StartedAt = DateTimeOffset.UnixEpoch,
            Operation = "chat",
            Key = _caller,
            Route = "claude-*",
            Upstream = "anthropic",
            UpstreamModel = "claude-sonnet-4-6",
            FirstEvent = 2,
            Streamed = true,
            Status = 200,
            Price = _price,
            IsAdmitted = true,
            IsGenerated = true,
            PromptTokens = 1_300,
            TextBytes = 2_000,
            Events = 500,
            Usage = new Usage(1234, 1024, 567) { Reasoning = 128 },
            RawUsage = _raw,
        };
        settlement.Settle(exchange);
        return exchange;
    }

    private sealed class DroppingStore : ILedgerStore
    {
        public ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken) => default;

        public ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
