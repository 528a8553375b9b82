using System.ClientModel;
using System.ClientModel.Primitives;
using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using OpenAI;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams that fail most of what they are asked.</summary>
public sealed class BreakerStormTests : FailoverFixture
{
    private static readonly Script s_fails = Replies.Json(503, Chat.Error("Overloaded."));

    [Test]
    public async Task U32_it_opens_is_left_alone_and_one_probe_at_a_time_finds_out_twice_as_late_each_time()
    {
        InProcessOnly("the clock stands still");
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Otherwise(s_fails);
        await StartAsync();
        for (int i = 0; i < 8; i++)
        {
            Assert.That(await AskAsync(), Is.EqualTo(200));
        }

        Assert.That(Upstream.Requests, Has.Count.EqualTo(5), "five failures are enough");
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Open));
        int seen = 5;
        foreach (int rest in (int[])[10, 20, 40, 80, 120, 120])
        {
            clock.Advance(TimeSpan.FromSeconds(rest - 1));
            Assert.That(await AskAsync(), Is.EqualTo(200));
            Assert.That(Upstream.Requests, Has.Count.EqualTo(seen), $"left alone for {rest} s");
            clock.Advance(TimeSpan.FromSeconds(2));
            Assert.That(await AskAsync(), Is.EqualTo(200));
            Assert.That(await AskAsync(), Is.EqualTo(200));
            Assert.That(Upstream.Requests, Has.Count.EqualTo(++seen), "one probe");
        }

        Upstream.Otherwise(Replies.LikeOpenAI);
        clock.Advance(TimeSpan.FromSeconds(121));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(seen + 2, 8 + 18);
        var said = App.Logs.Of("LlmProxy.Core.Balancing.Breaker").ToList();
        LogEntry warning = said.Single(entry => entry.Level == Microsoft.Extensions.Logging.LogLevel.Warning);
        Assert.That(warning.Text, Does.StartWith("Upstream main fails too often and is left alone until ")
            .And.Contain("its last failure was upstream_error, with model " + Chat.UpstreamModel));
        Assert.That(said.Select(entry => entry.Event.Id), Is.EqualTo(new[] { 1, 2, 2, 2, 2, 2, 2, 3 }), "opened, six probes that failed, and back");
    }

    [Test]
    public async Task Until_when_it_is_left_alone_is_the_same_at_every_look()
    {
        InProcessOnly("it looks at the states");
        Upstream.Otherwise(s_fails);
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            Assert.That(await AskAsync(), Is.EqualTo(200));
        }

        Assert.That(Enumerable.Range(0, 2000).Select(_ => MainStatus.Until).Distinct().Count(), Is.EqualTo(1));
        AssertSeen(5, 5);
    }

    [Test]
    public async Task U32_while_the_probe_is_under_way_nobody_else_is_let_through()
    {
        InProcessOnly("the clock stands still");
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Otherwise(s_fails);
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            await AskAsync();
        }

        clock.Advance(TimeSpan.FromSeconds(11));
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Task<int> probe = AskAsync();
        await Upstream.WaitForAsync(6);
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await AskAsync(), Is.EqualTo(200));
        }

        AssertSeen(6, 8);
        gate.SetResult();
        Assert.That(await probe, Is.EqualTo(200));
    }

    [Test]
    public async Task U32_what_dies_between_the_headers_and_the_commit_counts()
    {
        InProcessOnly("it looks at the states");
        Upstream.Otherwise(Replies.StreamThen([Chat.Role()], exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        }));
        await StartAsync();
        for (int i = 0; i < 7; i++)
        {
            Assert.That((await PostAsync(Chat.Request(stream: true))).Status, Is.EqualTo(200));
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Open));
        AssertSeen(5, 7);
    }

    [TestCase(400)]
    [TestCase(404)]
    [TestCase(405)]
    [TestCase(429)]
    public async Task U32_what_is_none_of_its_health_never_opens_it(int status)
    {
        InProcessOnly("it looks at the states");
        UseMainAlone();
        Upstream.Otherwise(Replies.Json(status, Chat.Error("No.")));
        await StartAsync();
        for (int i = 0; i < 12; i++)
        {
            await AskAsync();
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        AssertSeen(12, 0);
    }

    [Test]
    public async Task U32_clients_that_leave_neither_open_it_nor_water_down_what_failed()
    {
        InProcessOnly("it looks at the states");
        await StartAsync();
        Upstream.Otherwise(Replies.Silence);
        for (int i = 0; i < 12; i++)
        {
            RawClient client = await SendJsonAsync(Chat.Request());
            await Upstream.WaitForAsync(i + 1);
            client.Reset();
            await Deadline.Until(() => Proxy.Records.Count == i + 1);
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        Upstream.Otherwise(s_fails);
        for (int i = 0; i < 6; i++)
        {
            await AskAsync();
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Open));
        AssertSeen(17, 6);
    }

    [Test]
    public async Task U32_if_all_are_open_the_one_that_is_open_longest_is_asked_all_the_same()
    {
        InProcessOnly("the clock stands still");
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Otherwise(s_fails);
        Spare.Otherwise(s_fails);
        await StartAsync();
        await OpenBothAsync(clock);
        (int main, int spare) = (Upstream.Requests.Count, Spare.Requests.Count);
        Contract.AssertError(await PostAsync(Chat.Request()), 503, "upstream_error");
        Assert.That((Upstream.Requests.Count, Spare.Requests.Count), Is.EqualTo((main + 1, spare)), "main opened first");
        Upstream.Otherwise(Replies.LikeOpenAI);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok), "an answer closes it");
        AssertSeen(main + 2, spare);
    }

    [Test]
    public async Task U32_without_fail_open_nobody_is_asked()
    {
        InProcessOnly("the clock stands still");
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Options.Failover.FailOpen = false;
        Upstream.Otherwise(s_fails);
        Spare.Otherwise(s_fails);
        await StartAsync();
        await OpenBothAsync(clock);
        (int main, int spare) = (Upstream.Requests.Count, Spare.Requests.Count);
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 503, "no_healthy_upstream");
        Assert.That(int.Parse(response.Headers["Retry-After"]!, System.Globalization.CultureInfo.InvariantCulture), Is.InRange(1, 10));
        AssertSeen(main, spare);
    }

    [Test]
    public async Task A_window_of_nothing_switches_it_off()
    {
        InProcessOnly("it looks at the states");
        Setup.Main.Breaker.Window = TimeSpan.Zero;
        UseMainAlone();
        Setup.Options.Failover.FailOpen = false;
        Upstream.Otherwise(s_fails);
        await StartAsync();
        for (int i = 0; i < 20; i++)
        {
            Assert.That(await AskAsync(), Is.EqualTo(503));
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        AssertSeen(20, 0);
    }

    [TestCase(100)]
    [TestCase(30)]
    public async Task U32_a_storm_costs_the_upstreams_no_more_than_a_fifth_and_ten_on_top(int percent)
    {
        // The breaker would end the storm; here the budget alone is to bound it.
        Setup.Main.Breaker.Window = Setup.Options.Upstreams["spare"].Breaker.Window = TimeSpan.Zero;
        var random = new Random(7);
        Script flaky = exchange => (random.Next(100) < percent ? s_fails : Replies.LikeOpenAI)(exchange);
        Upstream.Otherwise(flaky);
        Spare.Otherwise(flaky);
        await StartAsync();
        const int Requests = 200;
        int answered = 0;
        foreach (int[] wave in Enumerable.Range(0, Requests).Chunk(20))
        {
            answered += (await Task.WhenAll(wave.Select(_ => AskAsync()))).Count(status => status == 200);
        }

        int seen = Upstream.Requests.Count + Spare.Requests.Count;
        Assert.That(seen, Is.LessThanOrEqualTo((Requests * 1.2) + 10));
        Assert.That(answered, percent == 100 ? Is.Zero : Is.GreaterThan(Requests * 0.75), "what the budget has is used");
        Assert.That(seen, Is.GreaterThan(Requests), "some went on to the next");
        ExpectUpstreamRequests(seen);
    }

    [Test]
    public async Task L09_fifty_real_clients_that_retry_by_themselves_against_upstreams_that_always_fail()
    {
        Upstream.Otherwise(s_fails);
        Spare.Otherwise(s_fails);
        await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => FailAsync()));

        // Each of them asks four times, and the last record is written a little after its answer.
        await Deadline.Until(() => Proxy.Records.Count == 200);
        const int asked = 200;
        int seen = Upstream.Requests.Count + Spare.Requests.Count;
        TestContext.Out.WriteLine($"{asked} requests of the clients, {seen} of the upstreams");
        Assert.That(seen, Is.LessThanOrEqualTo((asked * 1.2) + 10));
        ExpectUpstreamRequests(seen);
    }

    private async Task FailAsync()
    {
        var client = new OpenAIClient(
            new ApiKeyCredential(Canary.ClientKey),
            new OpenAIClientOptions { Endpoint = new Uri(Proxy.Address, "/v1"), Transport = new HttpClientPipelineTransport(NewHttpClient()) });
        try
        {
            await client.GetChatClient("gpt-4o-mini").CompleteChatAsync("Hello");
            Assert.Fail("Nobody can have answered.");
        }
        catch (ClientResultException e)
        {
            Assert.That(e.Status, Is.EqualTo(503));
        }
    }

    private async Task OpenBothAsync(FakeTimeProvider clock)
    {
        // The budget gives each request its second attempt only now and then: both are driven in turn.
        for (int i = 0; i < 60 && (MainStatus.Condition, StatusOf("spare").Condition) != (UpstreamCondition.Open, UpstreamCondition.Open); i++)
        {
            await AskAsync();
            clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.That((MainStatus.Condition, StatusOf("spare").Condition), Is.EqualTo((UpstreamCondition.Open, UpstreamCondition.Open)));
    }
}
