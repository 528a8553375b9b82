using System.Text;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>What a test says of itself where the default does not hold.</summary>
public sealed record Expectation(int? UpstreamRequests, int? Records, string? ErrorsAllowedBecause);

/// <summary>What must hold after every test, whatever it did.</summary>
public static class Invariants
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(10);

    /// <summary>I7: a connection whose last answer was whole is closed, or usable for another request.</summary>
    public static async Task AssertConnectionsAsync(IReadOnlyList<RawClient> clients, IProxyUnderTest proxy)
    {
        byte[] again = RawClient.Request("GET", "/v1/models", [], "Connection: close");
        foreach (RawClient client in clients.Where(c => !c.IsClosedByTest && c.LastResponse?.End == BodyEnd.Whole))
        {
            try
            {
                await client.SendAsync(again);
                RawResponse answer = await client.ReadAsync();
                Assert.That(answer.Status, Is.LessThan(500), $"I7: the connection to {proxy.Address} is usable after a whole answer");
            }
            catch (IOException)
            {
                // Closed: the other good end.
            }
        }
    }

    /// <summary>I1, I2, I4, I5, I6; ends the proxy.</summary>
    public static async Task AssertProxyAsync(
        IProxyUnderTest proxy, Evidence evidence, IReadOnlyList<ScriptedUpstream> upstreams, Expectation expected)
    {
        await AssertNothingInFlightAsync(proxy);
        string? unclean = await proxy.StopAsync();
        IReadOnlyList<RecordView> records = proxy.Records;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(unclean, Is.Null);
            AssertRecords(proxy, evidence, records, expected.Records);
            AssertNoSecret(proxy, evidence, records, upstreams);
            AssertUpstreams(upstreams, expected.UpstreamRequests ?? records.Count(r => r.Attempts > 0));
            if (expected.ErrorsAllowedBecause is null)
            {
                Assert.That(proxy.ErrorLines, Is.Empty, "I6: no error is logged");
            }

            Assert.That(UnobservedExceptions.Take(), Is.Empty, "I6: no exception goes unobserved");
        }
    }

    /// <summary>I3: no more sockets are open than before the test.</summary>
    public static async Task AssertSocketsAsync(int before)
    {
        if (!await Deadline.TryUntil(() => SocketQueues.Open() <= before, s_soon))
        {
            Assert.That(SocketQueues.Open(), Is.LessThanOrEqualTo(before), "I3: open sockets are back to the baseline");
        }
    }

    private static async Task AssertNothingInFlightAsync(IProxyUnderTest proxy)
    {
        using CancellationTokenSource deadline = Deadline.Source();
        long? active = await proxy.ActiveAsync();
        while (active is not (0 or null) && !deadline.IsCancellationRequested)
        {
            await Task.Delay(10);
            active = await proxy.ActiveAsync();
        }

        Assert.That(active, Is.Null.Or.Zero, $"I2: {ActiveRequests.Name} is back to 0");
    }

    private static void AssertRecords(IProxyUnderTest proxy, Evidence evidence, IReadOnlyList<RecordView> records, int? expected)
    {
        string[] ids = [.. records.Select(r => r.Id)];
        Assert.That(ids, Is.Unique, "I1: no request is recorded twice");
        if (expected is null)
        {
            Assert.That(evidence.RequestIds, Is.SubsetOf(ids), "I1: every answered request is recorded");
        }

        if ((expected ?? proxy.Entered) is { } count)
        {
            Assert.That(records, Has.Count.EqualTo(count), "I1: one record per request");
        }
    }

    private static void AssertNoSecret(
        IProxyUnderTest proxy, Evidence evidence, IReadOnlyList<RecordView> records, IReadOnlyList<ScriptedUpstream> upstreams)
    {
        Assert.That(evidence.Leaks, Is.Empty, "I4: no secret in what a client gets");
        Assert.That(proxy.LogLines.Where(line => Canary.SecretIn(line) is not null), Is.Empty, "I4: no secret in a log");
        Assert.That(records.Where(record => Canary.SecretIn(record.Text) is not null), Is.Empty, "I4: no secret in a record");
        foreach (UpstreamRequest request in upstreams.SelectMany(u => u.Requests))
        {
            string sent = Encoding.UTF8.GetString(request.Head.Span);
            Assert.That(sent, Does.Not.Contain(Canary.ClientKey).And.Not.Contain(Canary.OtherClientKey), "I4: no client's key goes upstream");
        }
    }

    private static void AssertUpstreams(IReadOnlyList<ScriptedUpstream> upstreams, int expected)
    {
        Assert.That(upstreams.Sum(u => u.Requests.Count), Is.EqualTo(expected), "I5: requests that the upstreams saw");
        Assert.That(upstreams.SelectMany(u => u.Failures), Is.Empty, "no script failed");
    }
}
