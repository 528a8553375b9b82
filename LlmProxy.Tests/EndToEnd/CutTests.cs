using System.Collections.Concurrent;
using System.Text.Json;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients that leave in the middle of an answer pay for what they had: nobody passes a budget by leaving early.</summary>
public sealed class CutTests : LedgerFixture
{
    private const int Cuts = 1_000;
    private const int AtOnce = 20;

    private static readonly string[] s_pieces = ["a", " the", " of", "ing", " people", " however", ".", " 12", " Berlin", "\n\n", " \"quoted\"", " straightforward"];

    private readonly ConcurrentDictionary<string, long> _reported = new();

    [TestCase(1, TestName = "S24_a_thousand_cut_streams_are_charged_by_what_was_relayed")]
    [TestCase(4, TestName = "S24_a_thousand_cut_streams_are_charged_by_what_was_relayed_if_events_have_several_tokens")]
    [Category("S24")]
    public async Task Charged(int mostPerEvent)
    {
        _reported.Clear();
        Upstream.Otherwise(exchange => AnswerAsync(exchange, mostPerEvent));
        await StartAsync();
        for (int i = 0; i < 30; i++)
        {
            Assert.That((await PostAsync(Request(i, isCut: false))).Status, Is.EqualTo(200));
        }

        await Parallel.ForEachAsync(Enumerable.Range(30, Cuts), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await CutAsync(i));

        IReadOnlyList<LedgerRow> rows = [.. (await RowsAsync(30 + Cuts)).Where(row => row.End == "client_disconnect")];
        Assert.That(rows, Has.Count.EqualTo(Cuts));
        long reported = _reported.Values.Sum();
        long charged = rows.Sum(row => row.InputTokens!.Value + row.OutputTokens!.Value);
        double[] single = [.. rows.Select(row => (double)(row.InputTokens!.Value + row.OutputTokens!.Value) / _reported[row.ClientId!]).Order()];
        TestContext.Out.WriteLine($"charged {charged / (double)reported:P1} of {reported} tokens; single cuts {single[0]:P0} to {single[^1]:P0}, 95 of 100 within {single[Cuts / 40]:P0} to {single[^(Cuts / 40)]:P0}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(charged / (double)reported, Is.InRange(0.9, 1.1));
            Assert.That((single[Cuts / 40], single[^(Cuts / 40)]), Is.EqualTo((1d, 1d)).Within(0.2), "95 of 100 are so near by themselves");
            Assert.That(rows.Select(row => row.Cost), Is.All.GreaterThan(0m));
        }
    }

    private static string Request(int i, bool isCut)
    {
        var random = new Random(i);
        string prompt = string.Concat(Enumerable.Range(0, 50 + random.Next(400)).Select(_ => s_pieces[random.Next(s_pieces.Length)]));
        return JsonSerializer.Serialize(new { model = "gpt-4o-mini", stream = true, messages = new[] { new { role = "user", content = prompt } }, seed = i, user = isCut ? "cut" : "whole" });
    }

    /// <summary>The client sees some of the answer and is gone.</summary>
    private async Task CutAsync(int i)
    {
        RawClient client = await RawClient.ConnectAsync(Proxy.EndPoint);
        await client.SendAsync(RawClient.Request(
            "POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Request(i, isCut: true)), Authorization, "Content-Type: application/json", $"x-request-id: cut-{i}"));
        await (await client.ReadHeadAsync()).ReadUntilAsync($"end-of-{i}-");
        await client.DisposeAsync();
    }

    private async Task AnswerAsync(UpstreamExchange exchange, int mostPerEvent)
    {
        int seed = (int)exchange.Request.Json["seed"]!;
        bool isCut = (string?)exchange.Request.Json["user"] == "cut";
        string prompt = (string)exchange.Request.Json["messages"]![0]!["content"]!;

        // The pieces are its tokens, of the prompt as of the answer.
        var random = new Random(seed);
        int input = 8 + 50 + random.Next(400);
        int output = 20 + new Random(-seed).Next(300);
        Assert.That(prompt, Is.Not.Empty);
        await exchange.StreamHeadAsync();
        await exchange.EventsAsync(Chat.Role());
        for (int sent = 0; sent < output;)
        {
            int count = Math.Min(output - sent, 1 + random.Next(mostPerEvent));
            string text = string.Concat(Enumerable.Range(0, count).Select(_ => s_pieces[random.Next(s_pieces.Length)]));
            sent += count;
            await exchange.EventsAsync(Chat.Delta(text));
        }

        if (isCut)
        {
            _reported[$"cut-{seed}"] = input + output;

            // No output: it says where the client may leave.
            await exchange.ChunkAsync($": end-of-{seed}-\n\n");
            await exchange.StallAsync();
        }

        await exchange.EventsAsync(Chat.Finish(), Chat.Usage(input, output), "[DONE]");
        await exchange.LastChunkAsync();
    }
}
