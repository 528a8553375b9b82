using System.Globalization;
using LlmProxy.Core.Relaying;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

internal sealed class ResponseHeadersTests
{
    [TestCase(-1, "0")]
    [TestCase(0, "0")]
    [TestCase(4, "0")]
    [TestCase(5, "0.001")]
    [TestCase(9_996, "1")]
    [TestCase(10_200, "1.02")]
    [TestCase(12_345_678, "1234.568")]
    [TestCase(long.MaxValue - 5, "922337203685477.58")]
    public void Milliseconds_are_told_to_the_microsecond(long ticks, string text) => Assert.That(ResponseHeaders.Milliseconds(new TimeSpan(ticks)), Is.EqualTo(text));

    [Test]
    public void Milliseconds_are_what_the_runtime_writes([Random(0, 600 * TimeSpan.TicksPerSecond, 1000)] long ticks)
    {
        // Half a microsecond is no double's.
        ticks -= ticks % 10 == 5 ? 1 : 0;
        Assert.That(ResponseHeaders.Milliseconds(new TimeSpan(ticks)), Is.EqualTo(new TimeSpan(ticks).TotalMilliseconds.ToString("0.###", CultureInfo.InvariantCulture)));
    }
}
