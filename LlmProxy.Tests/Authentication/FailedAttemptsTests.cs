using System.Net;
using LlmProxy.Core.Authentication;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>Keys that somebody tries.</summary>
[Category("S09")]
internal sealed class FailedAttemptsTests
{
    private readonly FakeTimeProvider _time = new();

    [Test]
    public void Twenty_may_fail_at_once_and_then_one_every_three_seconds()
    {
        var failures = new FailedAttempts(_time);
        Assert.That(Enumerable.Range(0, 20).All(_ => failures.TryCount(IPAddress.Loopback, out int _)));
        Assert.That((failures.TryCount(IPAddress.Loopback, out int wait), wait), Is.EqualTo((false, 3000)));
        for (int i = 0; i < 100; i++)
        {
            // To be refused is not counted: whoever goes on is let try again as soon as whoever waits.
            failures.TryCount(IPAddress.Loopback, out int _);
        }

        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.That((failures.TryCount(IPAddress.Loopback, out int _), failures.TryCount(IPAddress.Loopback, out int _)), Is.EqualTo((true, false)));
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.That(Enumerable.Range(0, 21).Count(_ => failures.TryCount(IPAddress.Loopback, out int _)), Is.EqualTo(20));
    }

    [TestCase("10.0.0.1", "10.0.0.2", false)]
    [TestCase("10.0.0.1", "::ffff:10.0.0.1", true, Description = "the same client on a socket for both")]
    [TestCase("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true, Description = "one network of one customer")]
    [TestCase("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    public void Addresses_count_as_one_client_where_one_client_can_have_them_all(string one, string other, bool isSame)
    {
        var failures = new FailedAttempts(_time);
        for (int i = 0; i < 20; i++)
        {
            failures.TryCount(IPAddress.Parse(one), out int _);
        }

        Assert.That(failures.TryCount(IPAddress.Parse(other), out int _), Is.EqualTo(!isSame));
    }

    [Test]
    public void A_million_addresses_take_no_more_room_than_one()
    {
        var failures = new FailedAttempts(_time);
        failures.TryCount(IPAddress.Loopback, out int _);
        IPAddress[] addresses = [.. Enumerable.Range(0, 1000).Select(static i => new IPAddress(0x0100_0000L + (i * 7919)))];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 1000; round++)
        {
            foreach (IPAddress address in addresses)
            {
                failures.TryCount(address, out int _);
            }
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000));
    }

    [Test]
    public void Where_there_is_no_address_nothing_is_counted()
    {
        var failures = new FailedAttempts(_time);
        Assert.That(Enumerable.Range(0, 1000).All(_ => failures.TryCount(null, out int _)));
    }
}
