using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What is too long for one target goes to one with a larger context window.</summary>
public sealed class WindowFailoverTests : FailoverFixture
{
    private const string TooLong = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.";

    [SetUp]
    public void SetContexts()
    {
        Setup.Mini.Targets[0].Context = 8192;
        Setup.Mini.Targets[1].Context = 131072;
    }

    [TestCase("""{"error":{"message":"Too much.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""")]
    [TestCase("""{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}""")]
    [TestCase("""{"error":{"message":"The decoder prompt (length 9000) is longer than the maximum model length of 8192.","type":"BadRequestError","code":400}}""")]
    [TestCase("""{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"}}""")]
    [TestCase("""{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}""")]
    [TestCase("""{"error":{"message":"prompt too long; exceeded max context length by 800 tokens","type":"invalid_request_error"}}""")]
    [TestCase("""{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}""")]
    public async Task Whoever_says_it_in_whatever_words(string body)
    {
        Upstream.Otherwise(Replies.Json(400, body));
        await StartAsync();
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task Another_mistake_goes_nowhere()
    {
        Upstream.Otherwise(Replies.Json(400, Chat.Error("\"temperature\" must be at most 2.", "invalid_request_error", "invalid_value")));
        await StartAsync();
        Assert.That(await AskAsync(), Is.EqualTo(400));
        AssertSeen(1, 0);
    }

    [TestCase(8192, 8192)]
    [TestCase(8192, 4096)]
    [TestCase(8192, null)]
    public async Task Where_none_is_larger_the_client_gets_what_was_said(int first, int? second)
    {
        Setup.Mini.Targets[0].Context = first;
        Setup.Mini.Targets[1].Context = second;
        Upstream.Otherwise(Replies.Json(400, Chat.Error(TooLong, "invalid_request_error", "context_length_exceeded")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That((response.Status, (string?)response.Json["error"]!["code"]), Is.EqualTo((400, "context_length_exceeded")));
        AssertSeen(1, 0);
    }

    [Test]
    public async Task The_next_that_is_no_larger_is_left_out()
    {
        Setup.Mini.Targets.Insert(1, new TargetOptions { Upstream = "main", Model = "same-size", Context = 8192 });
        Upstream.Otherwise(Replies.Json(400, Chat.Error(TooLong, "invalid_request_error", "context_length_exceeded")));
        await StartAsync();
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task If_the_larger_is_away_the_client_is_not_told_to_cut_its_prompt()
    {
        Setup.Options.Failover.FailOpen = false;
        Upstream.Next(Replies.Json(500, Chat.Error("A")));
        Spare.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "30")));
        Upstream.Otherwise(Replies.Json(400, Chat.Error(TooLong, "invalid_request_error", "context_length_exceeded")));
        await StartAsync();
        await AskAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 429, "rate_limit_exceeded");
        AssertSeen(2, 1);
    }

    [Test]
    public async Task If_the_larger_is_away_the_client_is_told_when_that_one_is_back_and_not_a_smaller_one()
    {
        ScriptedUpstream small = NewUpstream();
        Setup.Options.Upstreams["small"] = ProxySetup.Upstream(small.Url);
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = "small", Model = "small", Context = 4096 });
        Upstream.Next(Replies.Json(500, Chat.Error("A")));
        Spare.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "40")));
        small.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "5")));
        Upstream.Otherwise(Replies.Json(400, Chat.Error(TooLong, "invalid_request_error", "context_length_exceeded")));
        await StartAsync();
        await AskAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 429, "rate_limit_exceeded");
        Assert.That(int.Parse(response.Headers["Retry-After"]!, System.Globalization.CultureInfo.InvariantCulture), Is.InRange(30, 40));
        ExpectUpstreamRequests(4);
    }

    [TestCase(131072)]
    [TestCase(null)]
    public async Task A_response_that_fails_for_its_length_before_any_output_goes_to_a_larger_one_and_else_to_the_client(int? larger)
    {
        Setup.Mini.Targets[1].Context = larger;
        Setup.Main.Kind = Setup.Options.Upstreams["spare"].Kind = UpstreamKind.OpenAI;
        string failed = ResponseEvents.Begun + ResponseEvents.Failed(2, "context_length_exceeded", "Your input exceeds the context window of this model.");
        string whole = ResponseEvents.Whole("Hi");
        Upstream.Next(Replies.StreamOf(failed));
        Spare.Next(Replies.StreamOf(whole));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), larger is null ? failed : whole);
        AssertSeen(1, larger is null ? 0 : 1);
    }

    [TestCase("""{"error":{"message":"Too much.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""")]
    [TestCase("""{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}""")]
    public async Task The_record_says_that_it_was_too_long(string body)
    {
        Upstream.Otherwise(Replies.Json(400, body));
        await StartAsync();
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main context_length_exceeded, spare ok"));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task It_is_no_storm_and_takes_nothing_from_the_budget()
    {
        Setup.Options.Failover.BudgetLeast = 0;
        Setup.Options.Failover.BudgetPercent = 0;
        Upstream.Otherwise(Replies.Json(400, Chat.Error(TooLong, "invalid_request_error", "context_length_exceeded")));
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            Assert.That(await AskAsync(), Is.EqualTo(200));
        }

        AssertSeen(5, 5);
    }
}
