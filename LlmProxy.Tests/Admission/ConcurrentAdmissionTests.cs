using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Of any number who come at once, exactly as many are let in as there is room for.</summary>
[Category("L10")]
internal sealed class ConcurrentAdmissionTests
{
    private const int Rounds = 100;
    private const int Requests = 200;
    private const int Limit = 50;
    private const int Threads = 8;

    // A request of Admitting.Body takes 2,000 tokens and 0.003 dollars.
    private static readonly Dictionary<string, Func<KeyOptions>> _limits = new()
    {
        ["requests"] = () => new KeyOptions { RequestsPerMinute = Limit },
        ["tokens"] = () => new KeyOptions { TokensPerMinute = Limit * 2000L },
        ["concurrency"] = () => new KeyOptions { Concurrent = Limit },
        ["money"] = () => new KeyOptions { Budget = new BudgetOptions { Day = Limit * 0.003m } },
    };

    [Test]
    public void L10_of_200_at_once_exactly_50_are_let_in_by_a_key([Values("requests", "tokens", "concurrency", "money")] string limit) =>
        AssertExact(new Admitting(), () => Admitting.CallerOf(_limits[limit]()));

    [Test]
    public void L10_of_200_at_once_exactly_50_are_let_in_by_a_group([Values("requests", "tokens", "concurrency", "money")] string limit)
    {
        var allowance = _limits[limit]();
        AssertExact(new Admitting(), () => Admitting.CallerOf(pool: new GroupOptions
        {
            RequestsPerMinute = allowance.RequestsPerMinute,
            TokensPerMinute = allowance.TokensPerMinute,
            Concurrent = allowance.Concurrent,
            Budget = allowance.Budget,
        }));
    }

    /// <summary>What one limit refuses takes nothing of another: the tighter one is filled to the last place.</summary>
    [Test]
    public void L10_with_a_key_and_its_group_near_their_ends_exactly_50_are_let_in() =>
        AssertExact(new Admitting(), () => Admitting.CallerOf(
            new KeyOptions { RequestsPerMinute = Limit, Concurrent = Limit },
            new GroupOptions { TokensPerMinute = Limit * 2000L, Budget = new BudgetOptions { Day = 0.003m * Limit, Month = 1 } }));

    private static void AssertExact(Admitting admitting, Func<Caller> caller)
    {
        var request = admitting.Read(Admitting.Body());
        var route = admitting.Route();
        var endpoint = Core.Endpoints.EndpointTable.Rows[0];
        var who = caller();
        var threads = new Thread[Threads];
        using var start = new Barrier(Threads);
        using var end = new Barrier(Threads + 1);
        var admitted = 0;
        var slots = new Admitting.Slot[Requests];
        for (var i = 0; i < Threads; i++)
        {
            var first = i;
            threads[i] = new Thread(() =>
            {
                var headers = new Microsoft.AspNetCore.Http.HeaderDictionary();
                for (var round = 0; round < Rounds; round++)
                {
                    start.SignalAndWait();
                    for (var at = first; at < Requests; at += Threads)
                    {
                        slots[at] = new Admitting.Slot();
                        if (admitting.Admitter.Reserve(who, endpoint, route, request, headers, UnpricedModels.Refuse, ref slots[at].Lease, out _) is null)
                        {
                            Interlocked.Increment(ref admitted);
                        }
                    }

                    end.SignalAndWait();
                    end.SignalAndWait();
                }
            });
            threads[i].Start();
        }

        var counts = new int[Rounds];
        for (var round = 0; round < Rounds; round++)
        {
            end.SignalAndWait();
            counts[round] = Interlocked.Exchange(ref admitted, 0);
            foreach (var slot in slots)
            {
                slot.Lease.GiveBack();
            }

            end.SignalAndWait();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }

        Assert.That(counts, Is.All.EqualTo(Limit));
    }
}
