using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Models whose identical requests share one call, and upstreams that wait with their answers.</summary>
public abstract class CoalescingFixture : ProxyFixture
{
    protected const string EmbeddingsPath = "/v1/embeddings";
    protected const string Embedding = "{\"model\":\"text-embedding-3-small\",\"input\":\"zebra\"}";
    protected const string Zero = ",\"temperature\":0";

    protected TaskCompletionSource Gate { get; private set; } = null!;

    [SetUp]
    public void Share()
    {
        InProcessOnly("it looks at what is shared");
        Gate = new TaskCompletionSource();
        Setup.Mini.Coalesce = true;
        Setup.Options.Models["text-embedding-3-small"].Coalesce = true;
    }

    [TearDown]
    public Task AssertNoLeaksAsync() => IsStarted ? Leaks.AssertNoneAsync(App) : Task.CompletedTask;

    protected Script Gated(Script answer) => async exchange =>
    {
        await exchange.PauseAsync(Gate.Task);
        await answer(exchange);
    };

    protected Script Gated(params string[] begin) => Replies.StreamThen(begin, async exchange =>
    {
        await exchange.PauseAsync(Gate.Task);
        await exchange.EventsAsync(Chat.Delta("lo"), Chat.Finish(), "[DONE]");
        await exchange.LastChunkAsync();
    });

    protected Task PartsAsync(int count) => Deadline.Until(() => App.Services.GetRequiredService<Coalescing>().Parts == count, what: $"{count} requests in a call");
}
