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
        Assert.That(TokenEstimate.OfPrompt(Segments.InPieces(body, 4096)), Is.EqualTo(5000));
    }

    /// <remarks>What is as long as the shortest, or hardly longer, may be told either way: nobody can see it in an estimate.</remarks>
    [Test]
    public void What_nobody_writes_to_be_read_is_found_wherever_it_stands_and_however_the_body_was_cut()
    {
        var random = new Random(20261126);
        for (int round = 0; round < 2000; round++)
        {
            var body = new StringBuilder();
            (long bytes, long count) = (0, 0);
            for (int i = random.Next(1, 8); i > 0; i--)
            {
                body.Append(string.Concat(Enumerable.Repeat(" word,", random.Next(1, 900))));
                int run = random.Next(3) switch { 0 => random.Next(4096), 1 => random.Next(4120, 9000), _ => random.Next(4120, 40_000) };
                body.Append('Q', run);
                (bytes, count) = run < 4096 ? (bytes, count) : (bytes + run, count + 1);
            }

            body.Append(random.Next(2) == 0 ? "" : "\"}");
            byte[] json = Encoding.UTF8.GetBytes(body.ToString());
            var expected = new PromptSize(json.Length - bytes, (count * TokenEstimate.TokensPerPicture) + (bytes / 8192));
            int piece = random.Next(4) switch { 0 => 4096, 1 => json.Length, 2 => random.Next(1, 64), _ => random.Next(64, 9000) };
            Assert.That(PromptSize.Of(Segments.InPieces(json, piece)), Is.EqualTo(expected), $"round {round}, pieces of {piece}");
        }
    }

    private static long Of(string body) => TokenEstimate.OfPrompt(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)));
}
