using LlmProxy.Core;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Requests;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>What requests hold of an app in this process, and must give back.</summary>
internal static class Leaks
{
    /// <summary>Places, loads, bodies, clocks, copies and shared calls are all back to nothing.</summary>
    public static async Task AssertNoneAsync(InProcessProxy app)
    {
        await Deadline.TryUntil(() => Held(app).Length == 0, TimeSpan.FromSeconds(5));
        Assert.That(Held(app), Is.Empty, "nothing is held once all is over");
    }

    public static UpstreamState StateOf(InProcessProxy app, string upstream) =>
        app.Services.GetRequiredService<LiveStates>().Of(app.Services.GetRequiredService<LlmProxySnapshots>().Current.Routes.Upstreams.First(u => u.Name == upstream));

    /// <summary>What is live of a model's targets.</summary>
    public static Pool PoolOf(InProcessProxy app, string model) => app.Services.GetRequiredService<LiveStates>().Of(
        app.Services.GetRequiredService<LlmProxySnapshots>().Current.Routes.Resolve(model, new("leaks", null, [], false), false).Value.Route);

    private static string[] Held(InProcessProxy app)
    {
        IServiceProvider services = app.Services;
        var states = services.GetRequiredService<LiveStates>();
        var routes = services.GetRequiredService<LlmProxySnapshots>().Current.Routes;
        var held = new List<string>();
        foreach (var upstream in routes.Upstreams)
        {
            Add($"places at {upstream}", states.Of(upstream).Places.Taken);
            Add($"waiting at {upstream}", states.Of(upstream).Places.Waiting);
        }

        foreach (string name in routes.NamesFor(new("leaks", null, [], false)))
        {
            Pool pool = PoolOf(app, name);
            Add($"copies of {name}", pool.State.Mirrored);
            foreach (Candidate candidate in pool.Candidates)
            {
                Add($"requests at {candidate.Target.Upstream}/{candidate.Target.Model}", candidate.Load.Active);
            }
        }

        Add("bytes of bodies", services.GetRequiredService<BodyBudget>().Taken);
        Add("clocks", services.GetRequiredService<ClockWheel>().Watched);
        Add("shared calls", services.GetRequiredService<Coalescing>().Parts);
        return [.. held];

        void Add(string what, long count)
        {
            if (count != 0)
            {
                held.Add($"{count} {what}");
            }
        }
    }
}
