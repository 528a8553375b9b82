using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>That every answer is in the ledger before its end goes out must cost next to nothing.</summary>
internal sealed class LedgerCostTests
{
    private const int Requests = 5_000;

    private static readonly byte[] s_raw =
        """{"prompt_tokens":1234,"completion_tokens":567,"total_tokens":1801,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":128,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"""u8.ToArray();

    [Test]
    public void A_row_costs_its_request_a_few_microseconds_and_no_wait()
    {
        string directory = Directory.CreateTempSubdirectory("llmproxy-journal-").FullName;
        using ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var metrics = new ProxyMetrics(services.GetRequiredService<IMeterFactory>(), TimeProvider.System);
        using (var ledger = new Ledger(new MemoryLedgerStore { Before = () => Task.Delay(Timeout.Infinite) }, new LedgerSettings { Directory = directory }, metrics, TimeProvider.System, NullLogger<Ledger>.Instance))
        {
            ledger.StartingAsync(default);
            var settlement = new Settlement(ledger, new TokenRates(), metrics, TimeProvider.System);
            var caller = new Caller("key_01JD8Z4K", "engineering", [], false);
            var price = new Price(new PriceOptions { Input = 3, CachedInput = 0.3m, Output = 15 });
            TimeSpan[] rounds = [.. Enumerable.Range(0, 9).Select(_ =>
            {
                Exchange[] exchanges = [.. Enumerable.Range(0, Requests).Select(i => Ended(i, caller, price))];
                return ThreadTime.Of(() => Array.ForEach(exchanges, settlement.Settle)) / Requests;
            })];
            TestContext.Out.WriteLine($"a row: {rounds.Min().TotalMicroseconds:0.00} us at best, {rounds.Order().ElementAt(4).TotalMicroseconds:0.00} us in the middle");
            bool isPlain = typeof(Ledger).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true };

            // 1.5 us where the pages of the journal are at hand; on a busy disk the kernel takes them away in between, and to get
            // one back for ten rows costs as much again.
            Assert.That(rounds.Min(), Is.LessThan(TimeSpan.FromMicroseconds(isPlain ? 20 : 5)));
            Assert.That(ledger.WaitingRows, Is.EqualTo(9 * Requests));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static Exchange Ended(int number, Caller caller, Price price) => new()
    {
        Id = $"01KAZ{number:D21}",
        Started = 1,
        StartedAt = DateTimeOffset.UnixEpoch,
        Operation = "chat",
        Key = caller,
        Route = "claude-*",
        Upstream = "anthropic",
        UpstreamModel = "claude-sonnet-4-6",
        FirstEvent = 2,
        Streamed = true,
        Status = 200,
        Price = price,
        IsAdmitted = true,
        IsGenerated = true,
        PromptTokens = 1_300,
        TextBytes = 2_000,
        Events = 500,
        Usage = new Usage(1234, 1024, 567) { Reasoning = 128 },
        RawUsage = s_raw,
    };
}
