using System.Globalization;
using System.Text;
using LlmProxy.Core.Forwarding;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>Who waits for more of an answer that has ended waits for ever: whatever else it says, it never says that of one.</summary>
internal sealed class ChunkCourseTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    [Test]
    public void It_is_inside_after_each_read_of_whole_lines_and_no_more_at_the_last_chunk()
    {
        var random = new Random(20261127);
        for (var round = 0; round < 2_000; round++)
        {
            var (text, lines, ends) = Compose(random);
            var course = Begin();
            var at = 0;
            var isTold = true;
            foreach (var cut in Cuts(text, random))
            {
                course.Follow(Encoding.Latin1.GetBytes(text[at..cut]));
                isTold &= !lines.Any(line => line.From < cut && cut < line.To);
                var isBeforeCrLf = ends.Any(end => end - 2 <= cut && cut < end);
                Assert.That(course.IsInside, Is.EqualTo(isTold && !isBeforeCrLf && cut <= text.Length - "0\r\n\r\n".Length), () => Escaped(text, at, cut));
                at = cut;
            }
        }
    }

    [TestCase("0\r\n\r\n")]
    [TestCase("00000\r\n\r\n")]
    [TestCase("0;why=not\r\n\r\n")]
    [TestCase("0\r\nX-Trailer: 1\r\n\r\n")]
    [TestCase("0\n\n")]
    [TestCase("0\r\n\n")]
    [TestCase("0\n\r\n")]
    [TestCase("0\nX-Trailer: 1\n\n")]
    [TestCase("0 \r\n\r\n")]
    [TestCase("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")]
    [TestCase("5\nhello\n0\r\n\r\n")]
    [TestCase("5\r\nhello\n0\r\n\r\n")]
    [TestCase("5\r\nhello\n10\r\n0123456789abcdef\r\n0\r\n\r\n")]
    [TestCase("5;a\r\nhello\r\n0\r\n\r\n")]
    [TestCase("5\r\nhello\r\n\r\n0\r\n\r\n")]
    [TestCase("000000005\r\nhello\r\n0\r\n\r\n")]
    [TestCase("fffffffff\r\nhello")]
    [TestCase("-5\r\nhello\r\n0\r\n\r\n")]
    [TestCase("\r\n")]
    public void An_end_of_whatever_make_is_not_waited_behind(string end)
    {
        var before = "7\r\ndata:\n\n\r\n";
        var text = Head + before + end;
        for (var cut = Head.Length; cut <= text.Length; cut++)
        {
            var course = Begin();
            course.Follow(Encoding.Latin1.GetBytes(text[..cut]));
            course.Follow(Encoding.Latin1.GetBytes(text[cut..]));
            Assert.That(course.IsInside, Is.False, () => Escaped(text, 0, cut));
        }
    }

    [TestCase("HTTP/1.1 100 Continue\r\n\r\n" + Head)]
    [TestCase("HTTP/1.1 204 No Content\r\n\r\n")]
    [TestCase("HTTP/1.0 200 OK\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n")]
    [TestCase("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")]
    [TestCase("data: HTTP/1.1 200 OK\r\n\r\n")]
    public void What_is_no_plain_head_in_one_piece_is_not_followed(string head)
    {
        var course = Begin();
        course.Follow(Encoding.Latin1.GetBytes(head + "5\r\nhello\r\n\r\n\r\n5\r\nhello\r\n"));
        Assert.That((course.IsInside, course.IsFollowing), Is.EqualTo((false, false)));
    }

    [Test]
    public void Nothing_is_known_of_what_was_read_before_a_request_or_after_the_end()
    {
        var course = new ChunkCourse();
        course.Follow("HTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n"u8);
        Assert.That((course.IsInside, course.IsFollowing), Is.EqualTo((false, false)));

        course.Expect();
        Assert.That((course.IsInside, course.IsFollowing), Is.EqualTo((false, true)));
        course.Follow("HTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n"u8);
        Assert.That(course.IsInside);
        course.Follow("0\r\n\r\n"u8);
        course.Follow("5\r\nhello\r\n"u8);
        Assert.That((course.IsInside, course.IsFollowing), Is.EqualTo((false, false)));
    }

    private static ChunkCourse Begin()
    {
        var course = new ChunkCourse();
        course.Expect();
        return course;
    }

    /// <returns>An answer, where its lines with sizes stand (cut within, they are not followed), and where its chunks end.</returns>
    private static (string Text, List<(int From, int To)> Lines, List<int> Ends) Compose(Random random)
    {
        var text = new StringBuilder(Head);
        var lines = new List<(int, int)>();
        var ends = new List<int>();
        for (var chunk = random.Next(6); chunk >= 0; chunk--)
        {
            var data = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => "\r\n0a5: "[random.Next(7)]));
            var line = data.Length.ToString(random.Next(2) == 0 ? "x" : "X3", CultureInfo.InvariantCulture) + "\r\n";
            lines.Add((text.Length, text.Length + line.Length));
            text.Append(line).Append(data).Append("\r\n");
            ends.Add(text.Length);
        }

        return (text.Append("0\r\n\r\n").ToString(), lines, ends);
    }

    private static IEnumerable<int> Cuts(string text, Random random)
    {
        for (var cut = Head.Length + random.Next(4); cut < text.Length; cut += random.Next(1, 60))
        {
            yield return cut;
        }

        yield return text.Length;
    }

    private static string Escaped(string text, int from, int to) =>
        (text[..from] + "|" + text[from..to] + "|" + text[to..]).Replace("\r", "\\r", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
