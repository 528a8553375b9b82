using System.Net;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Nobody reads what the executable writes.</summary>
internal sealed class BlockedOutputTests : HostTest
{
    [Test]
    [Category("P14")]
    public async Task P14_requests_are_answered_though_nobody_reads_the_records()
    {
        await using var upstream = await TinyUpstream.StartAsync();
        const string key = "sk-test-of-blocked-output";
        var file = await WriteAsync("llmproxy.json", Configuration(upstream.Url, key));
        var process = await Keep(HostProcess.Start(Folder, null, readsResults: false, "--config", file, "--urls", "http://127.0.0.1:0")).StartedAsync();
        using var client = process.Client(key);

        // A pipe holds 64 KiB; a record has half a kilobyte: it is full after a few hundred.
        for (var i = 0; i < 600; i++)
        {
            using var answer = await PostAsync(client, "/v1/chat/completions", """{"model":"small","stream":true}""");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"request {i}");
            Assert.That(await answer.Content.ReadAsStringAsync(), Does.EndWith("data: [DONE]\n\n"), $"request {i}");
        }
    }
}
