using System.ClientModel;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using OpenAI.Responses;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>The real OpenAI .NET client's Responses, as its users use them.</summary>
public sealed class OpenAIResponsesClientTests : ProxyFixture
{
    [SetUp]
    public void UseOpenAI() => Setup.Main.Kind = UpstreamKind.OpenAI;

    [Test]
    public async Task A_whole_stream_yields_every_word_and_the_completed_response()
    {
        Upstream.Next(Replies.StreamOf(ResponseEvents.Whole("Hel", "lo")));
        await StartAsync();
        List<StreamingResponseUpdate> updates = await ReadAsync([]);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(string.Concat(updates.OfType<StreamingResponseOutputTextDeltaUpdate>().Select(u => u.Delta)), Is.EqualTo("Hello"));
            Assert.That(updates[^1], Is.InstanceOf<StreamingResponseCompletedUpdate>());
        }
    }

    [TestCase(true, TestName = "{m}_that_ends_cleanly_before_its_end")]
    [TestCase(false, TestName = "{m}_whose_upstream_reports_an_error")]
    public async Task Nobody_takes_a_stream_for_whole(bool cleanEnd)
    {
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + ResponseEvents.Delta("Hel", 2)
            + (cleanEnd ? "" : "event: error\ndata: {\"type\":\"error\",\"sequence_number\":3,\"code\":\"x\",\"message\":\"m\",\"param\":null}\n\n")));
        await StartAsync();
        var updates = new List<StreamingResponseUpdate>();
        Assert.That(() => ReadAsync(updates), Throws.Exception);
        Assert.That(updates.OfType<StreamingResponseCompletedUpdate>(), Is.Empty);
        if (updates.OfType<StreamingResponseFailedUpdate>().SingleOrDefault() is { } failed)
        {
            Assert.That(failed.Response.Status, Is.EqualTo(ResponseStatus.Failed));
        }
    }

    [Test]
    public async Task A_failure_before_the_first_event_is_the_client_s_usual_exception()
    {
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + ResponseEvents.Failed(2, "rate_limit_exceeded", "Slow down.")));
        await StartAsync();
        ClientResultException? e = Assert.ThrowsAsync<ClientResultException>(() => ReadAsync([]));
        Assert.That(e!.Status, Is.EqualTo(429));
    }

    private async Task<List<StreamingResponseUpdate>> ReadAsync(List<StreamingResponseUpdate> updates)
    {
        await foreach (StreamingResponseUpdate update in await NewOpenAIClient().GetResponsesClient().CreateResponseStreamingAsync("gpt-4o-mini", "hello"))
        {
            updates.Add(update);
        }

        return updates;
    }
}
