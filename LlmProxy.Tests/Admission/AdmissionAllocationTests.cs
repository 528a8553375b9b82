using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

[NonParallelizable]
internal sealed class AdmissionAllocationTests
{
    private const int Rounds = 1000;

    [Test]
    public void A_request_that_passes_a_keys_and_a_groups_limits_makes_nothing() => AssertNothing(
        Admitting.CallerOf(Allow(new KeyOptions()), Allow(new GroupOptions())));

    [Test]
    public void Nor_does_one_with_an_end_user() => AssertNothing(
        Admitting.CallerOf(Allow(new KeyOptions()), Allow(new GroupOptions { EndUser = Allow(new EndUserOptions { Header = "X-User" }) })));

    [Test]
    public void Nor_does_one_of_a_caller_without_limits() => AssertNothing(Admitting.CallerOf());

    private static void AssertNothing(Caller caller)
    {
        var admitting = new Admitting();
        var request = admitting.Read(Admitting.Body());
        var route = admitting.Route();
        var headers = new HeaderDictionary { ["X-User"] = "anna@example.com" };
        var slot = new Admitting.Slot();
        void Run()
        {
            for (var i = 0; i < Rounds; i++)
            {
                if (admitting.Admitter.Reserve(caller, EndpointTable.Rows[0], route, request, headers, UnpricedModels.Refuse, ref slot.Lease, out _) is { } error)
                {
                    Assert.Fail(error.Message);
                }

                slot.Lease.Learn(new Core.Protocol.Usage(1000, -1, 300));
                slot.Lease.Settle(1300, 0.0016m);
            }
        }

        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.That((GC.GetAllocatedBytesForCurrentThread() - before) / Rounds, Is.Zero);
    }

    private static T Allow<T>(T allowance)
        where T : AllowanceOptions
    {
        allowance.RequestsPerMinute = 1_000_000;
        allowance.TokensPerMinute = 1_000_000_000;
        allowance.Concurrent = 1000;
        allowance.Budget = new BudgetOptions { Day = 1000, Month = 10_000, Total = 100_000 };
        return allowance;
    }
}
