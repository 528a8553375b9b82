using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Every admitted request has one row, which says what it used and what that costs.</summary>
public sealed class LedgerTests : LedgerFixture
{
    private const string AsksForUsage = "\"stream_options\":{\"include_usage\":true}";

    [TestCase("", AsksForUsage)]
    [TestCase(",\"stream_options\":null", AsksForUsage)]
    [TestCase(",\"stream_options\":{}", AsksForUsage)]
    [TestCase(",\"stream_options\":{\"include_usage\":false}", AsksForUsage)]
    [TestCase(",\"stream_options\":{\"include_usage\":null,\"include_obfuscation\":false}", "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}")]
    [TestCase(",\"stream_options\":{\"include_obfuscation\":false}", "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}")]
    public async Task The_upstream_is_asked_for_usage_and_the_client_sees_nothing_of_it(string options, string sent)
    {
        string[] words = [.. Chat.Words("Hello", " there").Select(word => word[..^1] + ",\"usage\":null}")];
        Upstream.Next(Replies.Stream([.. words, Chat.Usage()]));
        await StartAsync();

        RawResponse response = await PostAsync(Chat.Request(stream: true, more: options));

        Contract.AssertWhole(response, Sse.Whole(words));
        Assert.That(Upstream.Request.Text, Does.Contain(sent));
        Assert.That(Upstream.Request.Json["messages"], Is.Not.Null);
        LedgerRow row = await RowAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((row.InputTokens, row.OutputTokens, row.UsageSource), Is.EqualTo(((long?)9, (long?)12, "upstream")));
            Assert.That(row.Cost, Is.EqualTo(0.009m + 0.024m));
            Assert.That(row.RawUsage, Is.EqualTo("{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}"));
            Assert.That((row.Key, row.KeyName, row.Model, row.Upstream, row.UpstreamModel), Is.EqualTo(("tester", "tester", "gpt-4o-mini", "main", Chat.UpstreamModel)));
            Assert.That((row.End, row.Status, row.Streamed, row.Operation), Is.EqualTo(("ok", 200, true, "chat")));
            Assert.That(row.Id, Is.EqualTo(response.Headers["x-request-id"]));
        }
    }

    [Test]
    public async Task Who_asks_for_usage_gets_it()
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":{\"include_usage\":true}"));
        Contract.AssertWhole(response, Sse.Whole([.. Chat.Words("Hello", " there"), Chat.Usage()]));
        Assert.That((await RowAsync()).UsageSource, Is.EqualTo("upstream"));
    }

    [Test]
    [Category("S26")]
    public async Task S26_usage_that_does_not_come_is_estimated()
    {
        Setup.Main.IncludeUsage = false;
        await StartAsync();

        RawResponse response = await PostAsync(Chat.Request(stream: true));

        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That(Upstream.Request.Json["stream_options"], Is.Null);
        LedgerRow row = await RowAsync();
        Assert.That((row.UsageSource, row.OutputTokens, row.RawUsage), Is.EqualTo(("estimate", (long?)3, null as string)));
        Assert.That(row.InputTokens, Is.GreaterThan(10));
        Assert.That(row.Cost, Is.EqualTo((row.InputTokens * 0.001m) + 0.006m));
        RecordView record = await RecordAsync();
        Assert.That((record.UsageSource, record.OutputTokens), Is.EqualTo(("estimate", (long?)3)));
    }

    [Test]
    public async Task A_json_answer_has_a_row_with_its_usage()
    {
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync("{\"model\":\"text-embedding-3-small\",\"input\":\"zebra\"}", "/v1/embeddings");
        IReadOnlyList<LedgerRow> rows = await RowsAsync(2);
        Assert.That(rows.Select(r => (r.Operation, r.InputTokens, r.OutputTokens, r.Cost)), Is.EquivalentTo(new (string, long?, long?, decimal?)[]
        {
            ("chat", 9, 12, 0.033m),
            ("embeddings", 4, 0, 0.004m),
        }));
    }

    /// <summary>Its bytes are numbers as text: a few thousand of them would cost as much as a book.</summary>
    [TestCase(1 << 20)]
    [TestCase(2048)]
    public async Task Embeddings_without_usage_cost_their_prompt_and_not_the_bytes_of_their_vectors(int held)
    {
        Setup.Options.Limits.HeldAnswer = held;
        string vector = string.Join(',', Enumerable.Repeat("0.015625", 2_000));
        Upstream.Next(Replies.Json(200, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[" + vector + "]}]}"));
        await StartAsync();
        Assert.That((await PostAsync("{\"model\":\"text-embedding-3-small\",\"input\":\"zebra\"}", "/v1/embeddings")).Status, Is.EqualTo(200));
        LedgerRow row = await RowAsync();
        Assert.That((row.UsageSource, row.OutputTokens, row.InputTokens), Is.EqualTo(("estimate", (long?)0, (long?)12)));
    }

    [Test]
    public async Task Counts_beyond_all_measure_are_a_row_and_end_a_limit_instead_of_lifting_it()
    {
        Setup.Options.Prices["main/*"] = new PriceOptions { Input = 1_000_000, Output = 1_000_000 };
        Setup.Options.Keys["tester"].TokensPerMinute = 1_000_000;
        Setup.Options.Keys["tester"].Budget = new BudgetOptions { Month = 1_000_000 };
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi").Replace("\"prompt_tokens\":9,\"completion_tokens\":12", "\"prompt_tokens\":9223372036854775807,\"completion_tokens\":9223372036854775807", StringComparison.Ordinal)));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        LedgerRow row = await RowAsync();
        Assert.That((row.InputTokens, row.OutputTokens, row.Cost), Is.EqualTo(((long?)1_000_000_000_000, (long?)1_000_000_000_000, (decimal?)2_000_000_000_000m)));
        Contract.AssertError(await PostAsync(Chat.Request()), 429, "rate_limit_exceeded");
    }

    [Test]
    public async Task Anthropics_usage_is_kept_in_its_parts()
    {
        Setup.Main.Kind = UpstreamKind.Anthropic;
        Upstream.Next(Replies.StreamOf(MessageEvents.Whole("Hel", "lo")));
        await StartAsync();

        await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path);

        LedgerRow row = await RowAsync();
        Assert.That((row.InputTokens, row.CachedInputTokens, row.CacheWriteTokens, row.OutputTokens), Is.EqualTo(((long?)132, (long?)100, (long?)7, (long?)15)));
        Assert.That(row.RawUsage, Is.EqualTo(
            "{\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100,\"output_tokens\":1}\n{\"output_tokens\":15}"));
    }

    [Test]
    public async Task A_request_that_failed_costs_nothing_and_one_that_was_never_admitted_has_no_row()
    {
        Upstream.Otherwise(Replies.Json(500, Chat.Error("boom")));
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(model: "no-such-model"));
        await GetAsync("/v1/models");
        LedgerRow row = await RowAsync();
        Assert.That((row.Cost, row.UsageSource, row.Status, row.End, row.InputTokens), Is.EqualTo(((decimal?)0m, "none", 502, "upstream_error", (long?)null)));
    }

    [Test]
    public async Task A_model_without_a_price_is_not_free()
    {
        Setup.Options.Prices.Clear();
        await StartAsync();
        await PostAsync(Chat.Request());
        LedgerRow row = await RowAsync();
        Assert.That((row.Cost, row.InputTokens), Is.EqualTo(((decimal?)null, (long?)9)));
    }

    [Test]
    public async Task A_hundred_requests_with_one_id_of_the_client_are_a_hundred_rows()
    {
        await StartAsync();
        for (int i = 0; i < 100; i++)
        {
            await PostAsync(Chat.Request(), ChatPath, "x-request-id: the-same");
        }

        IReadOnlyList<LedgerRow> rows = await RowsAsync(100);
        Assert.That(rows.Select(row => row.ClientId), Is.All.EqualTo("the-same"));
    }

    [Test]
    public async Task A_client_that_leaves_pays_for_what_it_was_sent_and_for_its_prompt()
    {
        Upstream.Next(Replies.StreamThen([Chat.Role(), Chat.Delta("Hel"), Chat.Delta("lo")], exchange => exchange.StallAsync()));
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await (await client.ReadHeadAsync()).ReadUntilAsync("\"lo\"");
        await client.DisposeAsync();
        LedgerRow row = await RowAsync();
        Assert.That((row.End, row.UsageSource, row.OutputTokens), Is.EqualTo(("client_disconnect", "estimate", (long?)2)));
        Assert.That(row.Cost, Is.GreaterThan(0.01m));
    }

    [Test]
    public async Task A_client_that_leaves_before_anything_was_said_pays_for_its_prompt()
    {
        Upstream.Next(exchange => exchange.StallAsync());
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await client.DisposeAsync();
        LedgerRow row = await RowAsync();
        Assert.That((row.End, row.UsageSource, row.OutputTokens, row.Cost > 0), Is.EqualTo(("client_disconnect", "estimate", (long?)0, true)));
    }

    /// <summary>A second into the answer nobody has failed: who could end the upstream's work so for nothing would have it for nothing.</summary>
    [TestCase(false, 8)]
    [TestCase(true, 8)]
    [TestCase(true, 40)]
    public async Task A_client_that_said_how_long_it_waits_pays_for_its_prompt_when_that_is_over(bool stream, int seconds)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Options.Keys["tester"].RequestsPerMinute = 1;
        Upstream.Next(exchange => exchange.StallAsync());
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request(stream), ChatPath, $"x-stainless-timeout: {seconds}");
        await Upstream.WaitForAsync();
        await clock.AdvanceUntilAsync(answer, TimeSpan.FromSeconds(1));
        Assert.That((await answer).Text, Does.Contain("upstream_timeout"));
        await clock.AdvanceUntilAsync(() => Store.Rows.Count > 0, TimeSpan.FromMilliseconds(100));
        LedgerRow row = await RowAsync();
        Assert.That((row.End, row.UsageSource, row.OutputTokens, row.Cost > 0), Is.EqualTo(("upstream_timeout", "estimate", (long?)0, true)));
        Contract.AssertError(await PostAsync(Chat.Request()), 429, "rate_limit_exceeded");
    }

    [Test]
    public async Task The_service_tier_of_an_answer_decides_its_price()
    {
        Setup.Options.Prices["main/*"].Tiers["flex"] = new TierOptions { Input = 500, Output = 1_000 };
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi")[..^1] + ",\"service_tier\":\"flex\"}"));
        Upstream.Next(Replies.Stream([.. Chat.Words("Hi").Select(word => word[..^1] + ",\"service_tier\":\"flex\"}"), Chat.Usage()]));
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(stream: true));
        IReadOnlyList<LedgerRow> rows = await RowsAsync(2);
        Assert.That(rows.Select(row => (row.ServiceTier, row.Cost)), Is.All.EqualTo(("flex", (decimal?)0.0165m)));
    }

    [Test]
    public async Task Reading_a_stored_response_again_costs_nothing()
    {
        Upstream.Next(Replies.Json(200, "{\"id\":\"resp_1\",\"object\":\"response\",\"usage\":{\"input_tokens\":9,\"output_tokens\":12}}"));
        Setup.Main.Kind = UpstreamKind.OpenAI;
        await StartAsync();
        Assert.That((await GetAsync("/v1/responses/resp_1")).Status, Is.EqualTo(200));
        LedgerRow row = await RowAsync();
        Assert.That((row.Cost, row.InputTokens), Is.EqualTo(((decimal?)0m, (long?)null)));
    }
}
