using System.Text;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class RecentTextsTests
{
    [Test]
    public void A_text_that_was_there_before_is_the_same_object()
    {
        var texts = new RecentTexts();
        var first = texts.Of("gpt-5"u8);
        Assert.That((first, texts.Of("gpt-5"u8)), Is.EqualTo(("gpt-5", "gpt-5")));
        Assert.That(texts.Of("gpt-5"u8), Is.SameAs(first));
    }

    [Test]
    public void Texts_that_share_a_place_are_each_what_they_say()
    {
        var texts = new RecentTexts();
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < 1000; i++)
            {
                var text = $"m{i}-{i % 7}x";
                Assert.That(texts.Of(Encoding.ASCII.GetBytes(text)), Is.EqualTo(text));
            }
        }
    }

    [Test]
    public void Numbers_are_written_once_and_never_as_another()
    {
        var texts = new NumberTexts();
        var limit = texts.Of(100_000_000);
        Assert.That(texts.Of(100_000_000), Is.SameAs(limit).And.EqualTo("100000000"));
        foreach (var number in Enumerable.Range(-500, 1000).Select(static n => (long)n).Concat([long.MaxValue, long.MinValue, 1L << 32]))
        {
            Assert.That(texts.Of(number), Is.EqualTo(number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        }
    }
}
