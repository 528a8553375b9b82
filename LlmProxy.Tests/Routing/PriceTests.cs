using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Routing;

internal sealed class PriceTests
{
    private static readonly Price _sonnet = new(new PriceOptions
    {
        Input = 3,
        CachedInput = 0.30m,
        CacheWrite = 3.75m,
        CacheWrite1h = 6,
        Output = 15,
        Above = { [200_000] = new TierOptions { Input = 6, Output = 22.5m }, [400_000] = new TierOptions { Input = 9 } },
        Tiers = { ["flex"] = new TierOptions { Input = 1.5m, Output = 7.5m }, ["priority"] = new TierOptions { Input = 6, Output = 30 } },
    });

    // What OpenAI calls prompt tokens holds the cached ones; what Anthropic calls input tokens does not.
    [TestCase("""{"prompt_tokens":1000,"completion_tokens":100}""", null, 0.0045)]
    [TestCase("""{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":600}}""", null, 0.00288)]
    [TestCase("""{"input_tokens":400,"output_tokens":100,"cache_read_input_tokens":600}""", null, 0.00288)]
    [TestCase("""{"input_tokens":400,"output_tokens":100,"cache_read_input_tokens":0,"cache_creation_input_tokens":600}""", null, 0.00495)]
    [TestCase("""{"input_tokens":400,"output_tokens":100,"cache_creation_input_tokens":600,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":500}}""", null, 0.006075)]
    [TestCase("""{"input_tokens":1000,"input_tokens_details":{"cached_tokens":600},"output_tokens":100,"output_tokens_details":{"reasoning_tokens":90}}""", null, 0.00288)]
    [TestCase("""{"prompt_tokens":1000,"completion_tokens":100}""", "flex", 0.00225)]
    [TestCase("""{"prompt_tokens":1000,"completion_tokens":100}""", "default", 0.0045)]
    [TestCase("""{"prompt_tokens":1000,"completion_tokens":100}""", "priority", 0.009)]
    [TestCase("""{"prompt_tokens":200000,"completion_tokens":0}""", null, 0.6)]
    [TestCase("""{"prompt_tokens":200001,"completion_tokens":1000}""", null, 1.222506)]
    [TestCase("""{"input_tokens":1,"output_tokens":1000,"cache_read_input_tokens":200000}""", null, 0.082506)]
    [TestCase("""{"prompt_tokens":400001,"completion_tokens":1000}""", null, 3.615009)]
    [TestCase("""{"prompt_tokens":1000}""", null, 0.003)]
    public void A_request_costs_what_its_provider_would_ask(string usage, string? tier, double cost)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(usage));
        reader.Read();
        Assert.That(_sonnet.CostOf(UsageReader.Read(ref reader), tier), Is.EqualTo((decimal)cost));
    }

    [Test]
    public void A_prediction_without_decimals_is_what_decimals_say() =>
        Gen.Select(Gen.Int[0, 400_000], Gen.Int[0, 400_000], Gen.Int[0, 9], Gen.Int[0, 5_000], Gen.Long[0, 1L << 25], Gen.Long[0, 1L << 25]).Sample(
            (input, output, digits, request, read, written) =>
            {
                var price = new Price(new PriceOptions
                {
                    Input = new decimal(input, 0, 0, isNegative: false, (byte)digits),
                    Output = new decimal(output, 0, 0, isNegative: false, 3),
                    Request = new decimal(request, 0, 0, isNegative: false, (byte)digits),
                    Above = { [200_000] = new TierOptions { Input = 7 } },
                });
                if (price.TryPredict(read, written, out long trillionths))
                {
                    Assert.That(trillionths / 1_000_000_000_000m, Is.EqualTo(price.CostOf(new Usage(read, -1, written), null)));
                }
                else
                {
                    // A rate of less than a trillionth of a dollar for a token, or one of 68,000 dollars per million, or very many tokens.
                    Assert.That(digits > 6 || input > 68_000 || read >= 1L << 24 || written >= 1L << 24);
                }
            },
            iter: 20_000);

    [TestCase("79228162514264337593543950335", 100)]
    [TestCase("0.0000001", 100)]
    [TestCase("3", long.MaxValue)]
    [TestCase("3", -1)]
    public void What_may_not_fit_is_left_to_decimals(string perMillion, long tokens)
    {
        var price = new Price(new PriceOptions { Input = decimal.Parse(perMillion, CultureInfo.InvariantCulture), Output = 1 });
        Assert.That(price.TryPredict(tokens, 1, out _), Is.False);
    }

    [Test]
    public void What_has_no_price_of_its_own_costs_what_it_is_a_part_of()
    {
        var price = new Price(new PriceOptions { Input = 2, Request = 0.5m });
        Assert.That(price.CostOf(new Usage(1_000_000, 400_000, 1_000_000) { WrittenInput = 300_000, WrittenForHour = 100_000 }, null), Is.EqualTo(2.5m));
        var written = new Price(new PriceOptions { Input = 2, CacheWrite = 4 });
        Assert.That(written.CostOf(new Usage(1_000_000, 0, 0) { WrittenInput = 1_000_000, WrittenForHour = 500_000 }, null), Is.EqualTo(4m));
    }

    [Test]
    public void A_count_that_cannot_be_never_makes_a_request_cheaper_than_nothing() =>
        Assert.That(_sonnet.CostOf(new Usage(10, 500, -1) { WrittenInput = -1 }, null), Is.EqualTo(0.00015m));

    [TestCase("vllm-a", "Qwen/Qwen3", 1)]
    [TestCase("vllm-b", "Qwen/Qwen3", 2)]
    [TestCase("vllm-b", "other", 2)]
    [TestCase("openai", "gpt-5", 4)]
    [TestCase("openai", "gpt-5-mini", 3)]
    [TestCase("openai", "o9", null)]
    public void The_longest_pattern_that_fits_counts(string upstream, string model, int? input)
    {
        var options = new LlmProxyOptions();
        options.Prices["vllm-a/Qwen/*"] = new PriceOptions { Input = 1 };
        options.Prices["vllm-*/*"] = new PriceOptions { Input = 2 };
        options.Prices["openai/gpt-5*"] = new PriceOptions { Input = 3 };
        options.Prices["openai/gpt-5"] = new PriceOptions { Input = 4 };
        Assert.That(new PriceList(options).Find(upstream, model)?.Options.Input, Is.EqualTo((decimal?)input));
    }

    [Test]
    public void A_target_knows_its_price_with_and_without_a_star_and_allocates_nothing_to_tell()
    {
        var options = new LlmProxyOptions();
        options.Upstreams["a"] = new UpstreamOptions { Url = new Uri("http://127.0.0.1:9/v1") };
        options.Models["one"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "m1" } } };
        options.Models["own"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "m1", Price = new PriceOptions { Input = 7 } } } };
        options.Models["x-*"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "m*" } } };
        options.Prices["a/m1"] = new PriceOptions { Input = 1 };
        options.Prices["a/m2*"] = new PriceOptions { Input = 2 };
        var table = RouteTableCompiler.Compile(options);
        Assert.Multiple(() =>
        {
            Assert.That(InputOf("one"), Is.EqualTo(1));
            Assert.That(InputOf("own"), Is.EqualTo(7));
            Assert.That(InputOf("x-1"), Is.EqualTo(1));
            Assert.That(InputOf("x-22"), Is.EqualTo(2));
            Assert.That(InputOf("x-3"), Is.Null);
        });

        var target = Target("x-22", out var match);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            target.PriceFor(match.Star);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        decimal? InputOf(string model) => Target(model, out var found).PriceFor(found.Star)?.Options.Input;

        Target Target(string model, out RouteMatch found)
        {
            var caller = new LlmProxy.Core.Authentication.Caller("k", null, [], false);
            Assert.That(table.TryResolve(model, caller, out found), Is.True);
            return found.Route.Targets[0];
        }
    }
}
