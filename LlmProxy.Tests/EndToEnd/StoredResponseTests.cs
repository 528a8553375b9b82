using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What an upstream keeps is asked for where it was made, by whom it was made for.</summary>
public sealed class StoredResponseTests : ProxyFixture
{
    private ScriptedUpstream _second = null!;

    [SetUp]
    public void UseTwoUpstreams()
    {
        _second = NewUpstream();
        Setup.Main.Kind = UpstreamKind.OpenAI;
        Setup.Options.Upstreams["second"] = ProxySetup.Upstream(_second.Url);
        Setup.Options.Upstreams["second"].Kind = UpstreamKind.OpenAI;
        Setup.Options.Models["gpt-5"] = ProxySetup.Model("second", "second-model");
        Setup.Options.Models["gpt-5"].Targets.Insert(0, new TargetOptions { Upstream = "main", Model = "first-model" });
        Setup.Options.Models["only-second"] = ProxySetup.Model("second", "second-model");
        foreach (ScriptedUpstream upstream in (ScriptedUpstream[])[Upstream, _second])
        {
            upstream.Otherwise(exchange => Replies.Json(200, ResponseEvents.Response("completed", id: "resp_" + (upstream == _second ? "second" : "main")))(exchange));
        }
    }

    [Test]
    public async Task By_id_it_is_asked_for_where_it_was_made()
    {
        await StartAsync();
        await CreateAsync("only-second");
        RawResponse got = await GetAsync("/v1/responses/resp_second?include[]=reasoning.encrypted_content&api_key=x&limit=a%26b");
        RawResponse items = await GetAsync("/v1/responses/resp_second/input_items?after=x");
        RawResponse cancelled = await PostAsync("", "/v1/responses/resp_second/cancel");
        RawResponse deleted = await (await SendAsync(RawClient.Request("DELETE", "/v1/responses/resp_second", [], Authorization))).ReadAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(new[] { got, items, cancelled, deleted }.Select(r => r.Status), Is.All.EqualTo(200));
            Assert.That(_second.Requests.Skip(1).Select(r => $"{r.Method} {r.Target}"), Is.EqualTo(new[]
            {
                "GET /v1/responses/resp_second?include%5B%5D=reasoning.encrypted_content&limit=a%26b",
                "GET /v1/responses/resp_second/input_items?after=x",
                "POST /v1/responses/resp_second/cancel",
                "DELETE /v1/responses/resp_second",
            }));
            Assert.That(_second.Requests.Skip(1).Select(r => r.Headers["Authorization"]), Is.All.EqualTo("Bearer " + Canary.UpstreamKey));
            Assert.That(Upstream.Requests, Is.Empty);
        }
    }

    [Test]
    public async Task What_goes_on_from_it_goes_to_the_same_upstream_and_to_no_other()
    {
        await StartAsync();
        await CreateAsync("only-second");
        RawResponse next = await PostAsync(ResponseEvents.Request(model: "gpt-5", more: ",\"previous_response_id\":\"resp_second\""), ResponseEvents.Path);
        RawResponse elsewhere = await PostAsync(ResponseEvents.Request(more: ",\"previous_response_id\":\"resp\\u005fsecond\""), ResponseEvents.Path);
        RawResponse unknown = await PostAsync(ResponseEvents.Request(model: "gpt-5", more: ",\"previous_response_id\":\"resp_unknown\""), ResponseEvents.Path);
        Contract.AssertError(elsewhere, 404, "response_not_found", "previous_response_id");
        using (Assert.EnterMultipleScope())
        {
            Assert.That((next.Status, unknown.Status), Is.EqualTo((200, 200)));
            Assert.That(_second.Requests.Select(r => (string?)r.Json["model"]), Is.EqualTo(new[] { "second-model", "second-model" }));
            Assert.That((string?)Upstream.Request.Json["previous_response_id"], Is.EqualTo("resp_unknown"), "unknown: the first target as ever");
        }
    }

    [TestCase("\"conv_1\"")]
    [TestCase("{\"id\":\"conv_1\"}")]
    public async Task A_conversation_stays_where_it_was_first_seen(string conversation)
    {
        await StartAsync();
        await PostAsync(ResponseEvents.Request(model: "only-second", more: $",\"conversation\":{conversation}"), ResponseEvents.Path);
        await PostAsync(ResponseEvents.Request(model: "gpt-5", more: ",\"conversation\":\"conv_1\""), ResponseEvents.Path);
        Assert.That(_second.Requests, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_streamed_one_is_known_as_soon_as_it_has_begun()
    {
        var gate = new TaskCompletionSource();
        _second.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2));
            await exchange.PauseAsync(gate.Task);
            await exchange.ChunkAsync(ResponseEvents.Completed(3));
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse stream = await (await SendJsonAsync(ResponseEvents.Request(stream: true, model: "only-second"), ResponseEvents.Path)).ReadHeadAsync();
        Assert.That((await GetAsync("/v1/responses/" + ResponseEvents.Id)).Status, Is.EqualTo(200));
        gate.SetResult();
        await stream.ReadToEndAsync();
        Assert.That(_second.Requests, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_stored_stream_can_be_asked_for_again()
    {
        await StartAsync();
        await CreateAsync("only-second");
        string rest = ResponseEvents.Delta("lo", 7) + ResponseEvents.Completed(8);
        _second.Next(Replies.StreamOf(rest));
        Contract.AssertWhole(await GetAsync("/v1/responses/resp_second?stream=true&starting_after=6"), rest);
        Assert.That(_second.Requests[^1].Target, Does.EndWith("?starting_after=6&stream=true"));
    }

    [Test]
    public async Task Another_s_does_not_exist()
    {
        await StartAsync();
        await CreateAsync("only-second");
        string other = "Authorization: Bearer " + Canary.OtherClientKey;
        RawResponse got = await (await SendAsync(RawClient.Request("GET", "/v1/responses/resp_second", [], other))).ReadAsync();
        RawResponse next = await (await SendAsync(RawClient.Request(
            "POST", ResponseEvents.Path, System.Text.Encoding.UTF8.GetBytes(ResponseEvents.Request(model: "gpt-5", more: ",\"previous_response_id\":\"resp_second\"")), other))).ReadAsync();
        Contract.AssertError(got, 404, "response_not_found");
        Contract.AssertError(next, 404, "response_not_found", "previous_response_id");
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task One_that_nobody_remembers_is_not_found_where_several_upstreams_could_have_it()
    {
        await StartAsync();
        Contract.AssertError(await GetAsync("/v1/responses/resp_unknown"), 404, "response_not_found");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task One_that_nobody_remembers_is_asked_for_where_only_one_upstream_can_have_it()
    {
        Setup.Options.Upstreams["second"].Operations.Add("-responses");
        Upstream.Otherwise(Replies.Json(404, Chat.Error("Response with id 'resp_unknown' not found.", "invalid_request_error", "not_found")));
        await StartAsync();
        RawResponse response = await GetAsync("/v1/responses/resp_unknown");
        Assert.That((response.Status, (string?)response.Json["error"]!["code"]), Is.EqualTo((404, "not_found")));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/responses/resp_unknown"));
    }

    [TestCase("/v1/responses/a.b")]
    [TestCase("/v1/responses/%2e%2e%2fadmin")]
    [TestCase("/v1/responses/a%2Fb")]
    [TestCase("/v1/responses/a%3Fb=1")]
    public async Task An_id_that_could_be_something_else_in_a_path_goes_nowhere(string path)
    {
        await StartAsync();
        Contract.AssertError(await GetAsync(path), 404, code: null);
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task The_methods_of_each_path_are_told()
    {
        await StartAsync();
        RawResponse response = await (await SendAsync(RawClient.Request("PUT", "/v1/responses/resp_1", [], Authorization))).ReadAsync();
        Contract.AssertError(response, 405, "method_not_allowed");
        Assert.That(response.Headers["Allow"], Is.EqualTo("GET, DELETE"));
        ExpectUpstreamRequests(0);
    }

    private async Task CreateAsync(string model) =>
        Assert.That((await PostAsync(ResponseEvents.Request(model: model), ResponseEvents.Path)).Status, Is.EqualTo(200));
}
