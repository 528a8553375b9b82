using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

[NonParallelizable]
internal sealed class SelectionAllocationTests
{
    private const int Rounds = 1000;

    [TestCase(TargetBalance.InOrder, null)]
    [TestCase(TargetBalance.Weighted, null)]
    [TestCase(TargetBalance.Weighted, "Key")]
    [TestCase(TargetBalance.Weighted, "User")]
    [TestCase(TargetBalance.Weighted, "Header:x-tenant")]
    [TestCase(TargetBalance.LeastLoaded, null)]
    [TestCase(TargetBalance.Affinity, null)]
    public void From_a_models_name_to_its_target_nothing_is_allocated(TargetBalance balance, string? sticky)
    {
        var choosing = new Choosing(Enumerable.Range(0, 20).Select(i => ((int?)(1 + (i % 3)), (int?)null)).ToArray(), (options, model) =>
        {
            model.Balance = balance;
            model.Sticky = sticky;
            options.Models["pattern-*"] = new ModelOptions { Balance = balance, Sticky = sticky };
            foreach (var target in model.Targets)
            {
                options.Models["pattern-*"].Targets.Add(new TargetOptions { Upstream = target.Upstream, Model = "up/*" });
            }
        });
        foreach (var name in (string[])[Choosing.Model, "pattern-large"])
        {
            var select = choosing.Prepare(
                $$"""{"model":"{{name}}","user":"u","input":"hi"}""", Choosing.CallerOf("key_01JD8Z4K"), Operations.Responses, ("X-Tenant", "t"), ("session_id", "s"));
            Run(select);
            var before = GC.GetAllocatedBytesForCurrentThread();
            Run(select);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, name);
        }
    }

    private static void Run(Func<Selection?> select)
    {
        for (var i = 0; i < Rounds; i++)
        {
            if (select()!.Value.Next(out _) is null)
            {
                Assert.Fail("Nobody was chosen.");
            }
        }
    }
}
