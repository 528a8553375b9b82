using System.Collections.Concurrent;
using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

internal sealed class RequestIdsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void An_id_is_26_characters_that_nobody_misreads() =>
        Assert.That(RequestIds.Create(Noon), Does.Match("^[0-7][0-9A-HJKMNP-TV-Z]{25}$"));

    [Test]
    public void A_later_id_sorts_behind_an_earlier_one()
    {
        var at = new[] { 0L, 1, 31, 32, 1_023, 1_024, 1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000, (1L << 47) - 1 };
        var ids = at.Select(ms => RequestIds.Create(DateTimeOffset.UnixEpoch.AddTicks(Math.Min(ms, 253_402_300_799_999) * TimeSpan.TicksPerMillisecond)));
        Assert.That(ids, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal));
    }

    [Test]
    public void The_first_ten_characters_are_the_millisecond()
    {
        var ids = Enumerable.Range(0, 100).Select(_ => RequestIds.Create(DateTimeOffset.FromUnixTimeMilliseconds(33)));
        Assert.That(ids.Select(id => id[..10]).Distinct(), Is.EqualTo(new[] { "0000000011" }));
    }

    [Test]
    public void Ids_of_one_millisecond_made_on_many_threads_differ()
    {
        var ids = new ConcurrentDictionary<string, bool>();
        Parallel.For(0, 100_000, _ => ids.TryAdd(RequestIds.Create(Noon), true));
        Assert.That(ids, Has.Count.EqualTo(100_000));
    }
}
