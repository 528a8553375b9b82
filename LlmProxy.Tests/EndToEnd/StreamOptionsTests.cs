using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What a client asks of a stream beyond the stream.</summary>
[Category("C48")]
public sealed class StreamOptionsTests : ProxyFixture
{
    [TestCase("\"yes\"", TestName = "C48_a_text_as_stream_options_is_a_400")]
    [TestCase("1", TestName = "C48_a_number_as_stream_options_is_a_400")]
    [TestCase("true", TestName = "C48_a_boolean_as_stream_options_is_a_400")]
    [TestCase("[]", TestName = "C48_a_list_as_stream_options_is_a_400")]
    public async Task WrongType(string value)
    {
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":" + value)), 400, "invalid_type", "stream_options");
        ExpectUpstreamRequests(0);
    }

    [TestCase("null", TestName = "C48_null_as_stream_options_passes")]
    [TestCase("{}", TestName = "C48_empty_stream_options_pass")]
    [TestCase("{\"include_usage\":false}", TestName = "C48_usage_that_is_not_wanted_brings_none")]
    [TestCase("{\"include_obfuscation\":false}", TestName = "C48_unknown_stream_options_pass")]
    public async Task NoUsage(string value)
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":" + value));
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task C48_usage_that_was_asked_for_comes_and_an_empty_one_in_other_chunks_stays()
    {
        string[] words = [.. Chat.Words("Hi").Select(word => word[..^1] + ",\"usage\":null}"), Chat.Usage(3, 4)];
        Upstream.Next(Replies.Stream(words));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":{\"include_usage\":true}"));
        Contract.AssertWhole(response, Sse.Whole(words));
        RecordView record = await RecordAsync();
        Assert.That((record.InputTokens, record.OutputTokens, record.UsageSource), Is.EqualTo(((long?)3, (long?)4, "upstream")));
    }
}
