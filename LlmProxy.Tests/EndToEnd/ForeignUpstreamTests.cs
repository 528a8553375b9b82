using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A fake server that others wrote as the upstream, and real clients on the other side.</summary>
[Category("Clients")]
public sealed class ForeignUpstreamTests : ProxyFixture
{
    private const string Model = "gpt-4o-mini";

    private Process _aimock = null!;

    [SetUp]
    public async Task StartAimockAsync()
    {
        NodeClients.Require();
        _aimock = NodeClients.Start("aimock.mjs");
        string said = await Deadline.In(_aimock.StandardOutput.ReadLineAsync(), "aimock's address") ?? await _aimock.StandardError.ReadToEndAsync();
        Setup.Main.Url = new Uri((string)JsonNode.Parse(said)!["url"]! + "/v1");
        ExpectUpstreamRequests(0);
    }

    [TearDown]
    public void EndAimock()
    {
        if (_aimock is not null)
        {
            NodeClients.End(_aimock);
            _aimock.Dispose();
        }
    }

    [TestCase("openai-node")]
    [TestCase("openai-node stream()")]
    [TestCase("openai-node whole")]
    [TestCase("AI SDK")]
    [TestCase("AI SDK whole")]
    [TestCase("LangChain.js")]
    [TestCase("LangChain.js whole")]
    public async Task Its_answer_comes_whole_to(string client)
    {
        await StartAsync();
        Judgement judgement = (await NodeClients.JudgeAsync(Proxy.Address, [(client, Model)])).Single();
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((judgement.Saw, judgement.Text, judgement.Finish), Is.EqualTo(("success", StreamSample.Text, "stop")), judgement.Error);
            Assert.That((record.End, record.Streamed), Is.EqualTo(("ok", !client.EndsWith("whole", StringComparison.Ordinal))));
        }
    }

    [TestCase("openai-node")]
    [TestCase("AI SDK")]
    [TestCase("LangChain.js")]
    public async Task Its_answer_that_is_cut_is_no_success_to(string client)
    {
        await StartAsync();
        Judgement judgement = (await NodeClients.JudgeAsync(Proxy.Address, [(client, Model)], prompt: "cut")).Single();
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(judgement.IsSuccess, Is.False, judgement.ToString());
            Assert.That((record.Blame, record.Streamed), Is.EqualTo(("upstream", true)), record.End);
        }
    }
}
