using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using OpenAI.Chat;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Real clients as judges: none takes a broken stream for a whole answer, none a whole one for broken.</summary>
[Category("Clients")]
public sealed partial class RealClientTests : ProxyFixture
{
    private const string DotNet = "OpenAI .NET";
    private const string Shutdown = "server-shutdown";

    /// <summary>How a stream breaks is a race between what was sent and how it ends: once is luck.</summary>
    private const int Rounds = 3;

    private static readonly string[] s_chat = ["openai-node", "openai-node stream()", "openai-node Azure", "AI SDK", "LangChain.js"];
    private static readonly string[] s_responses = ["openai-node responses", "openai-node responses stream()", "AI SDK responses"];
    private static readonly string[] s_messages = ["Anthropic TypeScript", "Anthropic TypeScript stream()"];

    [SetUp]
    public void RequireClients() => NodeClients.Require();

    [Test]
    public Task Chat_streams_are_seen_as_what_they_are() => JudgeAsync(StreamSample.Chat, [DotNet, .. s_chat]);

    [Test]
    public Task Responses_streams_are_seen_as_what_they_are() => JudgeAsync(StreamSample.Responses, CodexClient.OrNot(s_responses));

    [Test]
    public Task Messages_streams_are_seen_as_what_they_are() => JudgeAsync(StreamSample.Messages, s_messages);

    [Test]
    public async Task Without_the_proxy_whole_streams_are_whole_to_every_client()
    {
        Upstream.Otherwise(exchange => Replies.StreamOf(SampleFor(exchange.Request.Target).Whole)(exchange));
        string[] clients = [.. s_chat, .. s_responses, .. s_messages];
        IReadOnlyList<Judgement> seen = await NodeClients.JudgeAsync(Upstream.Url, clients.Select(client => (client, "whole")));
        Assert.That(seen.Select(s => (s.Client, s.Saw, s.Text)), Is.EquivalentTo(clients.Select(client => (client, "success", StreamSample.Text))),
            string.Join('\n', seen));
    }

    [Test]
    public async Task Without_the_proxy_a_client_does_take_a_broken_stream_for_a_whole_answer()
    {
        Upstream.Otherwise(StreamEnding.Of(StreamSample.Chat).Single(e => e.Name == "clean-end").Script);
        Judgement judgement = (await NodeClients.JudgeAsync(Upstream.Url, [("openai-node", "clean-end")])).Single();
        Assert.That((judgement.Saw, judgement.Text), Is.EqualTo(("success", "Hello")), "else the judges would prove nothing");
    }

    private static StreamSample SampleFor(string path) =>
        path.EndsWith("/messages", StringComparison.Ordinal) ? StreamSample.Messages
        : path.EndsWith("/responses", StringComparison.Ordinal) ? StreamSample.Responses
        : StreamSample.Chat;

    private async Task JudgeAsync(StreamSample sample, string[] clients)
    {
        IReadOnlyList<StreamEnding> endings = StreamEnding.Of(sample);
        Configure(endings);
        Upstream.Otherwise(exchange => endings.Single(e => e.Name == (string?)exchange.Request.Json["model"]).Script(exchange));
        await StartAsync();
        List<Judgement> seen = await AskAsync(clients, Enumerable.Repeat(endings.Select(e => e.Name), Rounds).SelectMany(names => names));
        if (Proxy is InProcessProxy)
        {
            int begun = 0;
            var shutdown = new StreamEnding(Shutdown, StreamEnding.Silence(sample, () => Interlocked.Increment(ref begun)), "server_shutting_down");
            Upstream.Otherwise(shutdown.Script);
            Task<List<Judgement>> asking = AskAsync(clients, [shutdown.Name]);
            await Deadline.Until(() => Volatile.Read(ref begun) == clients.Length || asking.IsCompleted, what: "a stream of every client");
            App.Services.GetRequiredService<LlmProxyLifetime>().EndAll();
            seen.AddRange(await asking);
            endings = [.. endings, shutdown];
        }

        await ShowAsync(Table(clients, endings, seen));
        await AssertRecordsAsync(endings, seen);
        using (Assert.EnterMultipleScope())
        {
            foreach (StreamEnding ending in endings)
            {
                Judgement[] cells = [.. seen.Where(s => s.Model == ending.Name)];
                Assert.That(cells.Select(c => c.Client).Distinct(), Is.EquivalentTo(clients), $"{ending.Name}: every client has judged");
                foreach (Judgement cell in cells)
                {
                    AssertCell(ending, cell);
                }
            }
        }
    }

    private static void AssertCell(StreamEnding ending, Judgement cell)
    {
        string what = $"{ending.Name} × {cell.Client}: {cell}";
        if (!ending.IsWhole)
        {
            Assert.That(cell.IsSuccess, Is.False, what);
            return;
        }

        Assert.That(cell.IsSuccess, what);
        Assert.That(cell.Text, Is.EqualTo(StreamSample.Text), what);
        Assert.That(cell.Finish, Is.AnyOf("stop", "Stop", "end_turn", "completed"), what);
    }

    /// <summary>Every stream went as it was meant to: what the clients judged is what the table says.</summary>
    private async Task AssertRecordsAsync(IReadOnlyList<StreamEnding> endings, List<Judgement> seen)
    {
        await Deadline.Until(() => Proxy.Records.Count >= seen.Count, what: "a record of every stream");
        ILookup<string?, string> ends = Proxy.Records.ToLookup(r => r.UpstreamModel, r => r.End);
        using (Assert.EnterMultipleScope())
        {
            foreach (StreamEnding ending in endings)
            {
                int count = seen.Count(s => s.Model == ending.Name);
                Assert.That(ends[ending.Name].ToArray(), Has.Length.EqualTo(count).And.All.AnyOf(ending.End, ending.OrEnd ?? ending.End), $"the records of {ending.Name}");
            }
        }
    }

    private void Configure(IEnumerable<StreamEnding> endings)
    {
        Setup.Options.Limits.Event = StreamEnding.LargestEvent;
        AddUpstream("idle").Timeouts.Idle = TimeSpan.FromMilliseconds(500);
        AddUpstream("total").Timeouts.Total = TimeSpan.FromSeconds(2);
        AddUpstream("strict").RequireFinishReason = true;
        TimeoutOptions heartbeat = AddUpstream("heartbeat").Timeouts;
        heartbeat.Heartbeat = TimeSpan.FromMilliseconds(200);
        heartbeat.FirstEvent = TimeSpan.FromSeconds(1);
        foreach (UpstreamOptions upstream in Setup.Options.Upstreams.Values)
        {
            upstream.Operations.Add("+responses");
            upstream.Operations.Add("+messages");
        }

        foreach ((string name, string upstream) in endings.Select(e => (e.Name, e.Upstream)).Append((Shutdown, "main")))
        {
            Setup.Options.Models[name] = ProxySetup.Model(upstream, name);
        }
    }

    private UpstreamOptions AddUpstream(string name) => Setup.Options.Upstreams[name] = ProxySetup.Upstream(Upstream.Url);

    private async Task<List<Judgement>> AskAsync(string[] clients, IEnumerable<string> models)
    {
        string[] all = [.. models];
        Task<IReadOnlyList<Judgement>> node = NodeClients.JudgeAsync(
            Proxy.Address, all.SelectMany(model => clients.Where(c => c is not (DotNet or CodexClient.Name)), (model, client) => (client, model)));
        Judgement[] inProcess = clients.Contains(DotNet) ? await Task.WhenAll(all.Select(AskDotNetAsync)) : [];
        Judgement[] codex = clients.Contains(CodexClient.Name) ? await Task.WhenAll(all.Distinct().Select(model => CodexClient.AskAsync(Proxy.Address, model))) : [];
        return [.. inProcess, .. codex, .. await node];
    }

    private async Task<Judgement> AskDotNetAsync(string model)
    {
        var text = new StringBuilder();
        string? finish = null;
        try
        {
            await foreach (StreamingChatCompletionUpdate update in NewOpenAIClient().GetChatClient(model).CompleteChatStreamingAsync(Canary.Prompt))
            {
                text.AppendJoin("", update.ContentUpdate.Select(part => part.Text));
                finish = update.FinishReason?.ToString() ?? finish;
            }

            return new Judgement(DotNet, model, "success", text.ToString(), finish, null);
        }
        catch (Exception e)
        {
            return new Judgement(DotNet, model, "error", text.ToString(), finish, $"{e.GetType().Name}: {e.Message}");
        }
    }

    private static string Table(string[] clients, IEnumerable<StreamEnding> endings, List<Judgement> seen)
    {
        StringBuilder table = new StringBuilder().Append("| stream | ").AppendJoin(" | ", clients).AppendLine(" |");
        table.Append("|---|").Insert(table.Length, "---|", clients.Length).AppendLine();
        foreach (StreamEnding ending in endings)
        {
            table.Append(CultureInfo.InvariantCulture, $"| {ending.Name} | ")
                .AppendJoin(" | ", clients.Select(client => Cell([.. seen.Where(s => s.Model == ending.Name && s.Client == client)]))).AppendLine(" |");
        }

        return table.ToString();
    }

    private static string Cell(Judgement[] cells) => string.Join(" / ", cells
        .Select(cell => cell.IsSuccess ? $"success \"{cell.Text}\" {cell.Finish}" : $"error after \"{Short(cell.Text)}\": {OneLine(cell.Error!)}")
        .Distinct()
        .Order(StringComparer.Ordinal));

    private static string Short(string text) => text.Length > StreamSample.Text.Length ? text[..StreamSample.Text.Length] + "…" : text;

    private static string OneLine(string text) => string.Join(' ', RequestId().Replace(text, "").Replace('|', '/').Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));

    private static async Task ShowAsync(string table)
    {
        string file = Path.Combine(TestContext.CurrentContext.WorkDirectory, TestContext.CurrentContext.Test.MethodName + ".md");
        await File.WriteAllTextAsync(file, table);
        TestContext.AddTestAttachment(file, "stream × client: what the client saw");
        await TestContext.Out.WriteLineAsync(table);
    }

    [GeneratedRegex(",\"request_id\":\"[^\"]*\"")]
    private static partial Regex RequestId();
}
