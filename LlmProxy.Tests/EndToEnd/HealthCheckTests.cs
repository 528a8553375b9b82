using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams that are asked whether they are well without a request of a client.</summary>
public sealed class HealthCheckTests : FailoverFixture
{
    private static readonly Script s_models = Replies.Json(200, "{\"object\":\"list\",\"data\":[]}");

    private FakeTimeProvider _clock = null!;
    private Script _check = s_models;
    private Script _rest = Replies.LikeOpenAI;

    [SetUp]
    public void UseProbe()
    {
        InProcessOnly("the clock stands still");
        _clock = Setup.UseFakeClock();
        (_check, _rest) = (s_models, Replies.LikeOpenAI);
        Setup.Main.Probe = new ProbeOptions { Every = TimeSpan.FromSeconds(30), Timeout = TimeSpan.FromSeconds(3) };
        Upstream.Otherwise(exchange => IsCheck(exchange.Request) ? _check(exchange) : _rest(exchange));
    }

    [TearDown]
    public async Task NoCheckIsAnAttemptAsync()
    {
        if (IsStarted)
        {
            // Records are written behind.
            await Deadline.TryUntil(() => Attempts() == Asked + Spare.Requests.Count, Deadline.Default);
            Assert.That(Attempts(), Is.EqualTo(Asked + Spare.Requests.Count), "checks are no attempts");
        }

        int Attempts() => Proxy.Records.Sum(r => r.Attempts);
    }

    [Test]
    public async Task Two_failures_in_a_row_take_it_out_and_one_success_brings_it_back()
    {
        await StartAsync();
        await ChecksAsync(1);
        _check = Replies.Json(500, Chat.Error("A"));
        await ChecksAsync(1);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That((Asked, Spare.Requests.Count), Is.EqualTo((1, 0)), "one failure is none");
        await ChecksAsync(1);
        await Deadline.Until(() => MainStatus.Condition == UpstreamCondition.ProbeFailing);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That((Asked, Spare.Requests.Count), Is.EqualTo((1, 1)), "it is out");
        _check = s_models;
        await ChecksAsync(1);
        await Deadline.Until(() => MainStatus.Condition == UpstreamCondition.Ok);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That((Asked, Spare.Requests.Count), Is.EqualTo((2, 1)), "it is back");
        Expect();
    }

    [Test]
    public async Task It_asks_for_the_models_with_our_key_and_the_headers_of_the_upstream()
    {
        Setup.Main.Headers["X-Team"] = "checks";
        await StartAsync();
        await ChecksAsync(1);
        UpstreamRequest check = Checks[0];
        Assert.That((check.Method, check.Target), Is.EqualTo(("GET", "/v1/models")));
        Assert.That((check.Headers["Authorization"], check.Headers["X-Team"]), Is.EqualTo(("Bearer " + Canary.UpstreamKey, "checks")));
        Expect();
    }

    [Test]
    public async Task With_a_model_it_asks_for_one_token()
    {
        Setup.Main.Probe!.Model = "tiny";
        await StartAsync();
        await ChecksAsync(1);
        Assert.That(Checks[0].Target, Is.EqualTo("/v1/chat/completions"));
        Assert.That(Checks[0].Text, Is.EqualTo("""{"model":"tiny","messages":[{"role":"user","content":"ping"}],"max_tokens":1}"""));
        Expect();
    }

    [TestCase(UpstreamKind.Anthropic, "/v1/messages")]
    [TestCase(UpstreamKind.OpenAI, "/v1/chat/completions")]
    public async Task Each_kind_in_its_own_way(UpstreamKind kind, string path)
    {
        Setup.Main.Kind = kind;
        Setup.Main.Probe!.Model = "tiny";
        await StartAsync();
        await ChecksAsync(1);
        Assert.That(Checks[0].Target, Is.EqualTo(path));
        Assert.That(Checks[0].Headers["x-api-key"], kind == UpstreamKind.Anthropic ? Is.EqualTo(Canary.UpstreamKey) : Is.Null);
        Expect();
    }

    [TestCase(404, true)]
    [TestCase(429, true)]
    [TestCase(401, false)]
    [TestCase(403, false)]
    [TestCase(502, false)]
    public async Task Who_only_does_not_know_or_limit_the_question_is_well(int status, bool isWell)
    {
        _check = Replies.Json(status, Chat.Error("A"));
        await StartAsync();
        await ChecksAsync(3);
        await Deadline.Until(() => MainStatus.Condition == (isWell ? UpstreamCondition.Ok : UpstreamCondition.ProbeFailing));
        Expect();
    }

    [Test]
    public async Task A_portal_a_silence_and_a_reset_are_failures()
    {
        foreach (Script bad in (Script[])[Replies.Html(200), Replies.Silence, e =>
        {
            e.Reset();
            return Task.CompletedTask;
        }])
        {
            _check = bad;
            await (Checks.Length == 0 ? StartAsync() : Task.CompletedTask);
            await ChecksAsync(2);
            await _clock.AdvanceUntilAsync(() => MainStatus.Condition == UpstreamCondition.ProbeFailing, TimeSpan.FromSeconds(1), most: 100);
            Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.ProbeFailing));
            _check = s_models;
            await _clock.AdvanceUntilAsync(() => MainStatus.Condition == UpstreamCondition.Ok, TimeSpan.FromSeconds(1));
            Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        }

        Expect();
    }

    [Test]
    public async Task A_success_closes_an_open_breaker_and_ends_the_rest_of_a_refused_key()
    {
        Setup.Main.Breaker.OpenFor = Setup.Main.Breaker.LongestOpen = TimeSpan.FromMinutes(10);
        await StartAsync();
        await ChecksAsync(1);
        _rest = Replies.Json(503, Chat.Error("A"));
        for (int i = 0; i < 6; i++)
        {
            await AskAsync();
        }

        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Open));
        await ChecksAsync(1);
        await Deadline.Until(() => MainStatus.Condition == UpstreamCondition.Ok);
        _rest = Replies.Json(401, Chat.Error("B"));
        await AskAsync();
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Refused));
        await ChecksAsync(1);
        await Deadline.Until(() => MainStatus.Condition == UpstreamCondition.Ok);
        Expect();
    }

    [Test]
    public async Task If_all_are_out_by_their_checks_one_is_asked_all_the_same()
    {
        UseMainAlone();
        _check = Replies.Json(500, Chat.Error("A"));
        await StartAsync();
        await ChecksAsync(2);
        await Deadline.Until(() => MainStatus.Condition == UpstreamCondition.ProbeFailing);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Expect();
    }

    [Test]
    public async Task Whom_a_reload_gives_checks_is_asked_from_then_on_and_whom_it_takes_them_from_no_more()
    {
        Setup.IsFromFile = true;
        ProbeOptions probe = Setup.Main.Probe!;
        Setup.Main.Probe = null;
        await StartAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(Checks, Is.Empty);
        Setup.Main.Probe = probe;
        await ReloadAsync(2);
        await ChecksAsync(2);
        Setup.Main.Probe = null;
        await ReloadAsync(3);
        await _clock.AdvanceUntilAsync(() => Checks.Length > 2, TimeSpan.FromSeconds(2), most: 40);
        Assert.That(Checks, Has.Length.EqualTo(2));
        Expect();
    }

    [Test]
    public async Task Nobody_is_asked_once_the_proxy_stops()
    {
        await StartAsync();
        await ChecksAsync(1);
        App.Services.GetRequiredService<LlmProxyLifetime>().RefuseNew();
        await _clock.AdvanceUntilAsync(() => Checks.Length > 1, TimeSpan.FromSeconds(2), most: 30);
        Assert.That(Checks, Has.Length.EqualTo(1), "though a minute passed");
        Expect();
    }

    private UpstreamRequest[] Checks => [.. Upstream.Requests.Where(IsCheck)];

    private int Asked => Upstream.Requests.Count - Checks.Length;

    private static bool IsCheck(UpstreamRequest request) => request.Method == "GET" || request.Text.Contains("\"ping\"", StringComparison.Ordinal);

    private void Expect() => ExpectUpstreamRequests(Upstream.Requests.Count + Spare.Requests.Count);

    /// <summary>Moves the clock until so many more checks have come.</summary>
    private async Task ChecksAsync(int more)
    {
        int wanted = Checks.Length + more;
        await _clock.AdvanceUntilAsync(() => Checks.Length >= wanted, TimeSpan.FromSeconds(1));
        Assert.That(Checks, Has.Length.EqualTo(wanted));
    }
}
