using LlmProxy.Core.Requests;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.Requests;

internal sealed class LoopGuardTests
{
    [Test]
    public void A_request_that_comes_back_is_noticed_by_whoever_sent_it()
    {
        var (a, b, c) = (new LoopGuard(), new LoopGuard(), new LoopGuard());
        var viaA = a.Next(new HeaderDictionary());
        var viaB = b.Next(With(viaA));
        var viaC = c.Next(With(viaB));
        Assert.That(new[] { a, b, c }.Select(guard => guard.IsLoop(With(viaC))), Is.All.True);
        Assert.That(c.IsLoop(With(viaB)), Is.False);
        Assert.That(a.IsLoop(new HeaderDictionary()), Is.False);
        Assert.That(a.IsLoop(new HeaderDictionary { [LoopGuard.Header] = new(["x", viaC]) }));
    }

    [Test]
    public void Too_many_hops_are_a_loop_of_others()
    {
        var via = new LoopGuard().Next(new HeaderDictionary());
        for (var hops = 1; hops < 8; hops++)
        {
            Assert.That(new LoopGuard().IsLoop(With(via)), Is.False, $"{hops} hops");
            via = new LoopGuard().Next(With(via));
        }

        Assert.That(new LoopGuard().IsLoop(With(via)));
    }

    [TestCase("")]
    [TestCase("a b")]
    [TestCase("a\r\nX: y")]
    [TestCase("é")]
    public void What_no_instance_wrote_is_not_passed_on(string via) =>
        Assert.That(new LoopGuard().Next(With(via)), Does.Match("^[0-9a-f]{12}$"));

    private static HeaderDictionary With(string via) => new() { [LoopGuard.Header] = via };
}
