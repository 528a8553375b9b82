using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Copies of requests go to a target whose answers nobody gets, and nobody waits for.</summary>
public sealed class MirrorTests : ProxyFixture
{
    private ScriptedUpstream _mirror = null!;

    [SetUp]
    public void UseMirror()
    {
        InProcessOnly("it looks at what is held");
        _mirror = NewUpstream();
        Setup.Options.Upstreams["mirror"] = ProxySetup.Upstream(_mirror.Url);
        Setup.Mini.Mirror = new MirrorOptions { Target = new TargetOptions { Upstream = "mirror", Model = "next-mini" } };
    }

    [TearDown]
    public Task AssertNoLeaksAsync() => IsStarted ? Leaks.AssertNoneAsync(App) : Task.CompletedTask;

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_request_also_goes_to_the_mirror_under_its_name_there_and_the_client_sees_nothing_of_it(bool stream)
    {
        ExpectUpstreamRequests(2);
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        RawResponse response = await PostAsync(Chat.Request(stream), ChatPath, "openai-beta: x=1");
        Assert.That((response.Status, response.End), Is.EqualTo((200, BodyEnd.Whole)));
        Support.UpstreamRequest copy = await _mirror.WaitForAsync();
        await Deadline.Until(() => Counted(mirrored, null) == 1);
        JsonNode sent = Upstream.Request.Json;
        JsonNode copied = copy.Json;
        Assert.That(((string?)sent["model"], (string?)copied["model"]), Is.EqualTo((Chat.UpstreamModel, "next-mini")));
        sent["model"] = copied["model"]!.DeepClone();
        Assert.That(copied.ToJsonString(), Is.EqualTo(sent.ToJsonString()), "but for the model's name it is the same");
        Assert.That(copy.Headers["openai-beta"], Is.EqualTo("x=1"));
        RecordView record = await RecordAsync();
        Assert.That((record.Upstream, record.Attempts, record.OutputTokens is null or 12), Is.EqualTo(("main", 1, true)));
    }

    [Test]
    public async Task What_only_the_account_can_read_that_made_it_is_not_copied()
    {
        Setup.Main.Kind = Setup.Options.Upstreams["mirror"].Kind = UpstreamKind.OpenAI;
        Upstream.Next(Replies.Json(200, ResponseEvents.Response("completed")));
        ExpectUpstreamRequests(4);
        await StartAsync();
        Assert.That((await PostAsync("""{"model":"gpt-4o-mini","input":[{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA"}]}""", ResponseEvents.Path)).Status, Is.EqualTo(200));
        Assert.That((await PostAsync("""{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}""")).Status, Is.EqualTo(200));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Support.UpstreamRequest copy = await _mirror.WaitForAsync();
        Assert.That(copy.Text, Does.Contain(Canary.Prompt), "what is said in so many words");
        Assert.That(_mirror.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_mirror_that_never_answers_keeps_no_client_waiting_and_copies_beyond_the_bound_are_dropped()
    {
        _mirror.Otherwise(Replies.Silence);
        int count = Mirroring.MostAtOnce + 3;
        ExpectUpstreamRequests(count + Mirroring.MostAtOnce);
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        RawClient client = await ConnectAsync();
        for (int i = 0; i < count; i++)
        {
            // On one connection: a copy that held the server's buffers would stand in the next request's way.
            await client.SendAsync(RawClient.Request("POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request()), Authorization, "Content-Type: application/json"));
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        }

        await _mirror.WaitForAsync(Mirroring.MostAtOnce);
        Assert.That(Counted(mirrored, Mirroring.Busy), Is.EqualTo(3));
        await _mirror.DisposeAsync();
        await Deadline.Until(() => Counted(mirrored, null, isAny: true) == count);
    }

    [Test]
    public async Task A_mirror_that_cannot_be_reached_or_breaks_is_counted_and_does_nothing_else()
    {
        _mirror.Next(exchange =>
        {
            exchange.Reset();
            return Task.CompletedTask;
        });
        ExpectUpstreamRequests(3);
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await Deadline.Until(() => Counted(mirrored, "upstream_reset") + Counted(mirrored, "upstream_protocol_error") == 1);
        await _mirror.DisposeAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await Deadline.Until(() => Counted(mirrored, "upstream_connect_error") == 1);
        Assert.That(Leaks.StateOf(App, "mirror").Breaker.IsOpen, Is.False);
    }

    [Test]
    public async Task An_answer_longer_than_is_read_is_left_unread()
    {
        _mirror.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Delta("Hel"));
            byte[] comment = [.. ": "u8, .. Enumerable.Repeat((byte)'x', 1 << 20), .. "\n\n"u8];
            while (true)
            {
                await exchange.ChunkAsync(comment);
            }
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        await PostAsync(Chat.Request(stream: true));
        await Deadline.Until(() => Counted(mirrored, "upstream_answer_too_large") == 1);
    }

    [Test]
    public async Task Copies_are_dropped_where_bodies_take_more_than_half_of_their_room()
    {
        string request = Chat.Request(more: ",\"user\":\"" + new string('x', 500) + "\"");
        Setup.Options.Limits.AllRequestBodies = (request.Length * 4) - 8;
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        Assert.That((await PostAsync(request)).Status, Is.EqualTo(200));
        Assert.That(Counted(mirrored, Mirroring.NoRoom), Is.EqualTo(1));
        Assert.That(_mirror.Requests, Is.Empty);
    }

    [Test]
    public async Task What_a_caller_s_tags_keep_from_the_mirror_s_upstream_is_not_copied()
    {
        Setup.Main.Tags.Add("eu");
        Setup.Options.Keys["tester"].UpstreamTags.Add("eu");
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That(_mirror.Requests, Is.Empty);
    }

    [Test]
    public async Task A_share_of_the_requests_is_copied()
    {
        Setup.Mini.Mirror!.Percent = 50;
        await StartAsync();
        using HttpClient client = NewHttpClient();
        client.DefaultRequestHeaders.Authorization = new("Bearer", Canary.ClientKey);
        for (int i = 0; i < 100; i++)
        {
            using var content = new StringContent(Chat.Request(), System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await client.PostAsync(new Uri(ChatPath, UriKind.Relative), content);
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
        }

        await Leaks.AssertNoneAsync(App);

        // Fair coins fall outside of this once in a hundred million times.
        Assert.That(_mirror.Requests, Has.Count.InRange(21, 79));
        ExpectUpstreamRequests(100 + _mirror.Requests.Count);
    }

    [Test]
    public async Task A_copy_that_is_yet_to_be_sent_when_a_reload_takes_the_mirror_away_is_sent_all_the_same()
    {
        Setup.IsFromFile = true;
        var reached = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Setup.Services = services => services.ConfigureUpstreamHttpClient("mirror", http => http.AddHttpMessageHandler(() => new Waiting(reached, gate.Task)));
        ExpectUpstreamRequests(2);
        await StartAsync();
        using MetricCollector<long> mirrored = Mirrored();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await Deadline.In(reached.Task);
        Setup.Mini.Mirror = null;
        Setup.Options.Upstreams.Remove("mirror");
        await ReloadAsync(2);
        await RecordAsync();
        gate.SetResult();
        await Deadline.Until(() => Counted(mirrored, null, isAny: true) == 1);
        Assert.That(Counted(mirrored, null), Is.EqualTo(1));
    }

    [Test]
    public async Task A_copy_is_whole_where_the_answer_is_there_before_it_could_be_made()
    {
        Setup.Services = services => services.ConfigureUpstreamHttpClient("main", http => http.AddHttpMessageHandler(() => new Instant()));
        ExpectUpstreamRequests(1);
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Support.UpstreamRequest copy = await _mirror.WaitForAsync();
        Assert.That((string?)copy.Json["model"], Is.EqualTo("next-mini"));
    }

    private MetricCollector<long> Mirrored() =>
        new(App.Services.GetRequiredService<IMeterFactory>(), LlmProxyTelemetry.MeterName, MetricNames.UpstreamMirrored);

    private static long Counted(MetricCollector<long> mirrored, string? error, bool isAny = false)
    {
        mirrored.Clear();
        mirrored.RecordObservableInstruments();
        return mirrored.GetMeasurementSnapshot()
            .Where(m => Equals(m.Tags.GetValueOrDefault(MetricNames.Label.Upstream), "mirror"))
            .Where(m => isAny || Equals(m.Tags.GetValueOrDefault(MetricNames.Label.ErrorType), error))
            .Sum(m => m.Value);
    }

    /// <summary>An app's handler that takes its time, as one that fetches a token does.</summary>
    private sealed class Waiting(TaskCompletionSource reached, Task gate) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            reached.TrySetResult();
            await gate;
            return await base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>An app's handler that answers itself, at once.</summary>
    private sealed class Instant : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage { Content = new StringContent(Chat.Completion("hi"), null, "application/json"), RequestMessage = request });
    }
}
