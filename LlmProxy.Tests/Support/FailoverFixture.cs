using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>A model with two targets, <c>main</c> before <c>spare</c>, each an upstream with a key of its own.</summary>
public abstract class FailoverFixture : ProxyFixture
{
    public const string SpareKey = "spare-canary-8sTq55LbNe";
    public const string SpareModel = "spare-mini";

    /// <summary>The second to be asked.</summary>
    protected ScriptedUpstream Spare { get; private set; } = null!;

    /// <summary>What the application is shown of its upstreams.</summary>
    protected UpstreamStatus MainStatus => StatusOf("main");

    [SetUp]
    public void PrepareSpare()
    {
        Spare = NewUpstream();
        Setup.Options.Upstreams["spare"] = new UpstreamOptions { Url = Spare.Url, ApiKey = SpareKey };
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = "spare", Model = SpareModel });
        Setup.Options.Keys["tester"].Debug = true;
    }

    protected UpstreamStatus StatusOf(string name) => App.Services.GetRequiredService<LlmProxyStatus>().GetUpstreams().Single(u => u.Name == name);

    /// <summary>Leaves one target only.</summary>
    protected void UseMainAlone() => Setup.Mini.Targets.RemoveAt(1);

    /// <summary>Says how many requests each of the two must have seen, at the end as well.</summary>
    protected void AssertSeen(int main, int spare)
    {
        Assert.That((Upstream.Requests.Count, Spare.Requests.Count), Is.EqualTo((main, spare)), "requests that main and spare saw");
        ExpectUpstreamRequests(main + spare);
    }

    /// <summary>Moves the clock in steps until it is done.</summary>
    protected static async Task AdvanceUntilAsync(FakeTimeProvider clock, Task done, TimeSpan step, int most = 400)
    {
        await clock.AdvanceUntilAsync(done, step, most: most);
        await done;
    }

    /// <summary>Asks, with an answer expected from whoever is asked; gives its status.</summary>
    protected async Task<int> AskAsync(string model = "gpt-4o-mini", params string[] fields) => (await PostAsync(Chat.Request(model: model), ChatPath, fields)).Status;
}
