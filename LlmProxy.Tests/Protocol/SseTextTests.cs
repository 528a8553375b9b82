using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class SseTextTests
{
    [TestCase("data: a\n\n", "data: a\n\n", TestName = "{m}(nothing to cut)")]
    [TestCase("id: 1\ndata: a\nretry: 5\n\n", "data: a\n\n", TestName = "{m}(LF)")]
    [TestCase("id: 1\r\ndata: a\r\nretry\r\n\r\n", "data: a\r\n\r\n", TestName = "{m}(CRLF)")]
    [TestCase("id: 1\rdata: a\r\r", "data: a\r\r", TestName = "{m}(CR)")]
    [TestCase("\uFEFFdata: a\n\n", "data: a\n\n", TestName = "{m}(byte order mark)")]
    [TestCase("data: a\ndata:\ndata\ndata: b\n\n", "data: a\ndata: b\n\n", TestName = "{m}(empty data between)")]
    [TestCase("data: a\rid: 1\n\n", "data: a\r\r", TestName = "{m}(mixed line ends)")]
    [TestCase("data: a\r\nid: 1\r\n\n", "data: a\r\n\n", TestName = "{m}(mixed line ends, CRLF)")]
    [TestCase(": c\nid: 1\n\n", ": c\n\n", TestName = "{m}(a comment stays)")]
    [TestCase("id: 1\nretry: 3\n\n", "", TestName = "{m}(nothing is left)")]
    [TestCase("ids: 1\nidx\nretryx: 3\nid2: 4\nid: 1\n\n", "ids: 1\nidx\nretryx: 3\nid2: 4\n\n", TestName = "{m}(names that only begin so)")]
    public void What_clients_throw_on_is_cut_out(string stream, string expected)
    {
        var (raw, found) = SseReading.Events(Encoding.UTF8.GetBytes(stream)).Single();
        Assert.That(SseReading.Written(output => SseText.WriteCut(found.LinesOf(raw), output)), Is.EqualTo(expected));
    }

    /// <summary>Else a line that nobody looked at becomes data where it is the first that a client gets.</summary>
    [Test]
    public void A_line_that_begins_with_a_byte_order_mark_within_a_stream_is_cut_out()
    {
        var events = SseReading.Events("data: a\n\n\uFEFFdata: [DONE]\n\n"u8);
        Assert.That(events[1].Found.HasData, Is.False, "the line has another name than data");
        Assert.That(
            SseReading.Written(output => SseText.WriteCut(events[1].Found.LinesOf(events[1].Raw), output)),
            Is.Empty);
    }

    [Test]
    public void Data_of_several_lines_behind_a_byte_order_mark_is_joined_whole()
    {
        var (raw, found) = SseReading.Events("\uFEFFdata: {\ndata: }\n\n"u8).Single();
        Assert.That(SseReading.Written(output => SseText.WriteJoinedData(found.LinesOf(raw), output)), Is.EqualTo("{\n}"));
    }

    [TestCase("", "{}", "data: {}\n\n")]
    [TestCase("n", "{}", "event: n\ndata: {}\n\n")]
    [TestCase("", "{\n}", "data: {\ndata: }\n\n")]
    [TestCase("", "{\r\n}\r\n", "data: {\ndata: }\n\n")]
    [TestCase("", "a\n\nb\r", "data: a\ndata: b\n\n")]
    [TestCase("", "", "")]
    [TestCase("n", "\r\n", "")]
    public void Data_of_any_lines_makes_one_event_without_empty_ones(string name, string data, string expected) =>
        Assert.That(
            SseReading.Written(output => SseText.WriteData(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(data), output)),
            Is.EqualTo(expected));
}
