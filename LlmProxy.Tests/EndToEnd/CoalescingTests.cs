using System.Text.Json;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Identical requests of one caller that run at the same time share one call upstream. Nothing of it is a cache.</summary>
public sealed class CoalescingTests : CoalescingFixture
{
    [Test]
    public async Task Identical_embeddings_are_asked_for_once_and_all_get_the_answer()
    {
        Upstream.Next(Gated(Replies.LikeOpenAI));
        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 3).Select(_ => PostAsync(Embedding, EmbeddingsPath))];
        await PartsAsync(3);
        Gate.SetResult();
        foreach (Task<RawResponse> answer in answers)
        {
            Assert.That(((await answer).Status, (await answer).Text), Is.EqualTo((200, Chat.Embedding(base64: false))));
        }

        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
        await Deadline.Until(() => Proxy.Records.Count == 3);
        RecordView payer = Proxy.Records.Single(r => r.CoalescedWith is null);
        Assert.That(Proxy.Records.Select(r => r.Attempts), Is.EquivalentTo(new[] { 1, 0, 0 }), "noted where it began, whoever pays");
        Assert.That(Proxy.Records.Select(r => (r.Upstream, r.End)), Is.All.EqualTo(("main", "ok")));
        Assert.That(Proxy.Records.Where(r => r != payer).Select(r => r.CoalescedWith), Is.All.EqualTo(payer.Id));
    }

    [Test]
    public async Task Who_joins_a_stream_late_gets_it_from_its_beginning()
    {
        Upstream.Next(Gated(Chat.Role(), Chat.Delta("Hel")));
        await StartAsync();
        string request = Chat.Request(stream: true, more: Zero);
        RawResponse first = await (await (await SendJsonAsync(request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        RawResponse second = await (await (await SendJsonAsync(request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        Gate.SetResult();
        string whole = Sse.Whole(Chat.Role(), Chat.Delta("Hel"), Chat.Delta("lo"), Chat.Finish());
        Contract.AssertWhole(await first.ReadToEndAsync(), whole);
        Contract.AssertWhole(await second.ReadToEndAsync(), whole);
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }

    [TestCase("another caller")]
    [TestCase("other words")]
    [TestCase("another header")]
    [Category("S21")]
    public async Task S21_what_is_not_the_same_request_of_the_same_caller_is_never_shared(string what)
    {
        Upstream.Otherwise(Gated(Replies.LikeOpenAI));
        await StartAsync();
        Task<RawResponse> first = PostAsync(Embedding, EmbeddingsPath);
        await Upstream.WaitForAsync();
        Task<RawResponse> second = what switch
        {
            "another caller" => SendAsAsync(Canary.OtherClientKey),
            "other words" => PostAsync(Embedding.Replace("zebra", "kayak", StringComparison.Ordinal), EmbeddingsPath),
            _ => PostAsync(Embedding, EmbeddingsPath, "openai-organization: x"),
        };
        await Upstream.WaitForAsync(2);
        Gate.SetResult();
        Assert.That(((await first).Status, (await second).Status), Is.EqualTo((200, 200)));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => r.CoalescedWith), Is.All.Null);
    }

    [TestCase("", null, false)]
    [TestCase(",\"temperature\":0.0", null, true)]
    [TestCase(",\"temperature\":0.2", null, false)]
    [TestCase(",\"temperature\":null", null, false)]
    [TestCase(",\"temperature\":0,\"temperature\":1", null, false)]
    [TestCase(",\"temperature\":0", "1", false)]
    [TestCase(",\"temperature\":1", "0", true)]
    public async Task Completions_are_shared_where_the_temperature_that_goes_up_is_0(string more, string? set, bool isShared)
    {
        if (set is not null)
        {
            Setup.Mini.Set["temperature"] = JsonDocument.Parse(set).RootElement;
        }

        Upstream.Otherwise(Gated(Replies.Json(200, Chat.Completion("Hello"))));
        await StartAsync();
        Task<RawResponse> first = PostAsync(Chat.Request(more: more));
        Task<RawResponse> second = PostAsync(Chat.Request(more: more));
        await (isShared ? PartsAsync(2) : Upstream.WaitForAsync(2));
        Gate.SetResult();
        Assert.That(((await first).Status, (await second).Status), Is.EqualTo((200, 200)));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(isShared ? 1 : 2));
    }

    [Test]
    public async Task An_error_before_the_commit_is_everybody_s()
    {
        Upstream.Next(Gated(Replies.Json(500, Chat.Error("It burns."))));
        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 2).Select(_ => PostAsync(Chat.Request(stream: true, more: Zero)))];
        await PartsAsync(2);
        Gate.SetResult();
        foreach (Task<RawResponse> answer in answers)
        {
            Contract.AssertError(await answer, 502, "upstream_error");
        }

        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
        Assert.That((await PostAsync(Chat.Request(stream: true, more: Zero))).Status, Is.EqualTo(200), "no error is kept");
    }

    [Test]
    public async Task A_stream_that_breaks_is_broken_for_all_and_kept_for_nobody()
    {
        Upstream.Next(Replies.StreamThen([Chat.Role(), Chat.Delta("Hel")], async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            exchange.Reset();
        }));
        await StartAsync();
        string request = Chat.Request(stream: true, more: Zero);
        RawResponse first = await (await (await SendJsonAsync(request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        RawResponse second = await (await (await SendJsonAsync(request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        Gate.SetResult();
        Contract.AssertBroken(await first.ReadToEndAsync(), "upstream_reset");
        Contract.AssertBroken(await second.ReadToEndAsync(), "upstream_reset");
        Contract.AssertWhole(await PostAsync(request), Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task An_answer_that_has_ended_is_nobody_s_to_join()
    {
        await StartAsync();
        for (int i = 1; i <= 3; i++)
        {
            Assert.That(((await PostAsync(Embedding, EmbeddingsPath)).Status, Upstream.Requests.Count), Is.EqualTo((200, i)));
        }

        Assert.That(Upstream.ConnectionCount, Is.EqualTo(1), "and its connection is used again");
    }

    [Test]
    public async Task A_large_answer_in_one_piece_is_shared_as_it_comes()
    {
        Setup.Options.Limits.HeldAnswer = 2048;
        string completion = Chat.Completion(new string('x', 100_000));
        Upstream.Next(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Content-Length", completion.Length.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            await exchange.SendAsync(completion[..5000]);
            await exchange.PauseAsync(Gate.Task);
            await exchange.SendAsync(completion[5000..]);
        });
        await StartAsync();
        Task<RawResponse> first = PostAsync(Chat.Request(more: Zero));
        Task<RawResponse> second = PostAsync(Chat.Request(more: Zero));
        await PartsAsync(2);
        Gate.SetResult();
        Assert.That(((await first).Text, (await second).Text), Is.EqualTo((completion, completion)));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Events_that_are_held_go_out_to_all_when_one_is_to_be_kept_awake()
    {
        var clock = Setup.UseFakeClock();
        Setup.Main.Kind = Core.Configuration.UpstreamKind.OpenAI;
        Setup.Main.Timeouts.FirstEvent = Setup.Main.Timeouts.Idle = Setup.Main.Timeouts.Total = TimeSpan.Zero;
        string rest = ResponseEvents.Delta("Hi", 2) + ResponseEvents.Completed(3);
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.PauseAsync(Gate.Task);
            await exchange.ChunkAsync(rest);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        string request = ResponseEvents.Request(stream: true);
        request = request.Insert(request.LastIndexOf('}'), Zero);
        Task<RawResponse>[] heads = [.. await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ => (await SendJsonAsync(request, ResponseEvents.Path)).ReadHeadAsync()))];
        await PartsAsync(2);
        await clock.AdvanceUntilAsync(Task.WhenAll(heads), TimeSpan.FromSeconds(16), most: 200);
        foreach (Task<RawResponse> head in heads)
        {
            RawResponse response = await head;
            await clock.AdvanceUntilAsync(response.ReadUntilAsync(ResponseEvents.Begun), TimeSpan.FromSeconds(16), most: 200);
        }

        Gate.SetResult();
        foreach (Task<RawResponse> head in heads)
        {
            RawResponse response = await (await head).ReadToEndAsync();
            Assert.That((response.End, response.Text.EndsWith(rest, StringComparison.Ordinal)), Is.EqualTo((BodyEnd.Whole, true)));
        }
    }

    private async Task<RawResponse> SendAsAsync(string key) => await (await SendAsync(RawClient.Request(
        "POST", EmbeddingsPath, System.Text.Encoding.UTF8.GetBytes(Embedding), "Authorization: Bearer " + key, "Content-Type: application/json"))).ReadAsync();
}
