using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Events whose data stands in several lines: values are found and put in across them.</summary>
[Category("U24")]
public sealed class DataInLinesTests : ProxyFixture
{
    private const string Asked = "\"gpt-4o-mini\"";

    [SetUp]
    public void PutBack() => Setup.Mini.ResponseModel = ResponseModelName.Asked;

    [TestCase("data: {\"model\":\"upstream-mini\",\ndata: \"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n", TestName = "{m}_in_the_first_line")]
    [TestCase("data: {\"choices\":[{\"index\":0,\ndata:\"delta\":{\"content\":\"Hi\"}}],\ndata:  \"model\" :\ndata:\"upstream-mini\"\ndata: }\n\n", TestName = "{m}_in_a_line_of_its_own")]
    [TestCase("data: {\r\n: a comment\r\ndata: \"model\":\"upstream-mini\",\r\nodd: 1\r\ndata: \"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\n\r\n", TestName = "{m}_between_other_lines")]
    [TestCase("event: x\rdata: {\rdata: \"model\":\"upstream-mini\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\r", TestName = "{m}_behind_a_CR")]
    [TestCase("data: {\"note\":\"\\\"model\\\":\\\"upstream-mini\\\"\",\ndata: \"model\":\"upstream-mini\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n", TestName = "{m}_and_not_in_content")]
    public async Task The_models_name_is_put_back(string words)
    {
        string stream = words + Sse.Event("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}") + Sse.Done;
        int at = words.LastIndexOf("\"upstream-mini\"", StringComparison.Ordinal);
        string expected = stream.Remove(at, "\"upstream-mini\"".Length).Insert(at, Asked);
        Upstream.Next(Replies.StreamOf(stream));
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            foreach (char one in stream)
            {
                await exchange.ChunkAsync(one.ToString());
            }

            await exchange.LastChunkAsync();
        });
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), expected);
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), expected);
    }

    [Test]
    public async Task It_is_put_back_while_lines_are_cut_out_and_behind_a_byte_order_mark()
    {
        const string Rest = "data: \"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        Upstream.Next(Replies.StreamOf("\uFEFFid: 7\ndata: {\ndata:\ndata: \"model\":\"upstream-mini\",\nretry: 1\n" + Rest + Sse.Whole(Chat.Finish())));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true)),
            "data: {\ndata: \"model\":" + Asked + ",\n" + Rest + Sse.Whole(Chat.Finish().Replace("\"upstream-mini\"", Asked, StringComparison.Ordinal)));
    }

    [Test]
    public async Task It_is_put_back_in_messages_and_responses()
    {
        Setup.Main.Kind = UpstreamKind.OpenAI;
        Setup.Main.Operations.Add("+messages");
        Upstream.Next(Replies.StreamOf(InLines(MessageEvents.Whole("Hi"))));
        Upstream.Next(Replies.StreamOf(InLines(ResponseEvents.Whole("Hi"))));
        await StartAsync();
        RawResponse messages = await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path, MessageEvents.Version);
        Contract.AssertWhole(messages, InLines(MessageEvents.Whole("Hi")).Replace("\"upstream-mini\"", Asked, StringComparison.Ordinal));
        RawResponse responses = await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Contract.AssertWhole(responses, InLines(ResponseEvents.Whole("Hi")).Replace("\"upstream-mini\"", Asked, StringComparison.Ordinal));
    }

    [Test]
    public async Task A_finish_reason_of_one_kind_of_upstream_is_mapped_in_lines_too()
    {
        Setup.Main.Kind = UpstreamKind.VLlm;
        string finish = Chat.Finish("repetition").Replace(",\"finish_reason\"", ",\ndata: \"finish_reason\"", StringComparison.Ordinal);
        Upstream.Next(Replies.Stream(Chat.Delta("Hi"), finish));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true)),
            Sse.Whole(Chat.Delta("Hi"), finish).Replace("\"upstream-mini\"", Asked, StringComparison.Ordinal).Replace("repetition", "stop", StringComparison.Ordinal));
    }

    /// <summary>The same events with a line break before every name of the first level.</summary>
    private static string InLines(string stream) => stream.Replace("{\"type\":\"", "{\ndata: \"type\":\"", StringComparison.Ordinal)
        .Replace("\"model\":\"", "\ndata:\"model\":\ndata: \"", StringComparison.Ordinal);
}
