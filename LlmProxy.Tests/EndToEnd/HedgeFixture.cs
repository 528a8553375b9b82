using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A model with two targets and a hedge after two seconds, on a clock that stands still.</summary>
public abstract class HedgeFixture : ProxyFixture
{
    protected FakeTimeProvider Clock { get; private set; } = null!;

    protected ScriptedUpstream Second { get; private set; } = null!;

    protected TaskCompletionSource Gate { get; private set; } = null!;

    [SetUp]
    public void UseTwoTargets()
    {
        InProcessOnly("time stands still");
        Clock = Setup.UseFakeClock();
        Gate = new TaskCompletionSource();
        Second = Add("second");
        Setup.Mini.Hedge = new HedgeOptions { After = TimeSpan.FromSeconds(2), BudgetPercent = 100 };
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
    }

    [TearDown]
    public Task AssertNoLeaksAsync() => IsStarted ? Leaks.AssertNoneAsync(App) : Task.CompletedTask;

    protected ScriptedUpstream Add(string name)
    {
        ScriptedUpstream upstream = NewUpstream();
        Setup.Options.Upstreams[name] = ProxySetup.Upstream(upstream.Url);
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = name, Model = name + "-mini" });
        return upstream;
    }

    /// <summary>Time passes until it is done; a timer that is set late has its time, too.</summary>
    /// <param name="done">What is waited for.</param>
    /// <param name="stepMs">How much at a time.</param>
    protected async Task AdvanceUntilAsync(Task done, int stepMs = 500)
    {
        await Clock.AdvanceUntilAsync(done, TimeSpan.FromMilliseconds(stepMs), momentMs: 10);
        await done;
    }
}
