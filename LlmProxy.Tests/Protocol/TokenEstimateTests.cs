using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class TokenEstimateTests
{
    [Test]
    public void Text_counts_by_its_length() =>
        Assert.That(Of(new string('a', 30) + string.Concat(Enumerable.Repeat(" word", 1000))), Is.EqualTo(5030 / 4));

    [Test]
    public void A_body_of_a_few_bytes_is_a_token_and_none_is_none() =>
        Assert.That((Of("{}"), Of("")), Is.EqualTo((1L, 0L)));

    [Test]
    public void A_picture_counts_as_one_however_large_it_is()
    {
        string picture = Convert.ToBase64String(Enumerable.Range(0, 3_000_000).Select(i => (byte)(i * 31)).ToArray());
        string body = """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,""" + picture + "\"}}]}]}";
        Assert.That(Of(body), Is.InRange(1_000, 1_000 + 600));
        Assert.That(Of(body + body), Is.InRange(2_000, 2_000 + 1_200));
    }

    [Test]
    public void A_body_in_pieces_is_much_the_same()
    {
        byte[] body = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(" word", 4000)));
        Assert.That(TokenEstimate.OfPrompt(Segments.Of(body, 4096)), Is.EqualTo(5000));
    }

    private static long Of(string body) => TokenEstimate.OfPrompt(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)));
}
