using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class FieldNamesTests
{
    private static readonly FieldNames _names = new(["seed", "topK", "größe", new string('x', 70), "model"]);

    [TestCase("model", FieldNames.Model, true)]
    [TestCase("stream", FieldNames.Stream, true)]
    [TestCase("stream_options", FieldNames.StreamOptions, true)]
    [TestCase("n", FieldNames.Choices, true)]
    [TestCase("N", FieldNames.Choices, false)]
    [TestCase("MoDeL", FieldNames.Model, false)]
    [TestCase("mode", -1, false)]
    [TestCase("", -1, false)]
    public void Finds_names_and_their_twins(string name, int index, bool isExact)
    {
        Assert.That(_names.Find(Encoding.ASCII.GetBytes(name), out var exact), Is.EqualTo(index));
        Assert.That(_names.Find(name, out var exactText), Is.EqualTo(index));
        if (index >= 0)
        {
            Assert.That((exact, exactText), Is.EqualTo((isExact, isExact)));
        }
    }

    [Test]
    public void A_configured_name_is_found_exactly_and_its_twin_as_a_twin()
    {
        Assert.That((_names.Find("topK"u8, out var exact), exact), Is.EqualTo((_names.IndexOf("topK"), true)));
        Assert.That((_names.Find("topk"u8, out exact), exact), Is.EqualTo((_names.IndexOf("topK"), false)));
        Assert.That((_names.Find("GRÖSSE", out exact), exact), Is.EqualTo((-1, false)));
        Assert.That((_names.Find("GRÖßE", out exact), exact), Is.EqualTo((_names.IndexOf("größe"), false)));
        Assert.That((_names.Find("to\u0070\u212A", out exact), exact), Is.EqualTo((_names.IndexOf("topK"), false)));
    }

    [Test]
    public void Long_names_are_found_too()
    {
        Assert.That(_names.Find(Encoding.ASCII.GetBytes(new string('x', 70)), out var exact), Is.EqualTo(_names.IndexOf(new string('x', 70))));
        Assert.That(exact);
        Assert.That(_names.Find(Encoding.ASCII.GetBytes(new string('y', 70)), out _), Is.EqualTo(-1));
    }

    [Test]
    public void What_is_always_looked_for_stands_once_and_first()
    {
        Assert.That(_names.IndexOf("model"), Is.EqualTo(FieldNames.Model));
        Assert.That(Enumerable.Range(0, FieldNames.AlwaysCount).Select(i => _names[i]), Is.Unique);
    }
}
