using System.Text;

namespace LlmProxy.Tests.Protocol;

/// <summary>Streams of every shape that servers send, small enough to be cut everywhere.</summary>
internal static class SseSamples
{
    private const string Chunk = """{"id":"c","choices":[{"index":0,"delta":{"content":"é🦓 \ud83e\udd93 \"x\" \\"},"finish_reason":null}]}""";

    private static readonly Dictionary<string, string> _all = new()
    {
        ["LF"] = $"data: {Chunk}\n\ndata: two\n\ndata: [DONE]\n\n",
        ["CRLF"] = $"data: {Chunk}\r\n\r\ndata: two\r\n\r\ndata: [DONE]\r\n\r\n",
        ["CR"] = $"data: {Chunk}\r\rdata: two\r\rdata: [DONE]\r\r",
        ["mixed line ends"] = "data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\ndata: e\n\rdata: f\r\n\n\r\r\n\ndata: g\n\n",
        ["byte order mark"] = "\uFEFFdata: x\n\ndata: y\n\n",
        ["byte order mark and CRLF"] = "\uFEFFevent: a\r\ndata: x\r\n\r\n",
        ["two byte order marks"] = "\uFEFF\uFEFFdata: x\n\ndata: y\n\n",
        ["byte order mark within"] = "data: a\n\n\uFEFFdata: x\n\n\uFEFFid: 1\ndata: y\n\n",
        ["byte order mark and nothing"] = "\uFEFF\n\n\n",
        ["begins with a letter like the mark"] = "ﻼdata: x\n\n",
        ["comments"] = ": ping\n\n:\n\n: a\ndata: x\n: b\n\n:data: no\n\n",
        ["no space"] = "data:x\n\nevent:n\ndata:  two spaces\n\ndata:\ttab\n\n",
        ["several data lines"] = "data: {\ndata:  \"a\": 1\ndata\ndata: }\n\ndata: one\r\ndata: two\r\n\r\n",
        ["id, retry and empty data"] = "id: 1\nretry: 10\ndata\ndata:\ndata: \ndata: x\n\nid\n\nretry:\n\ndata:\n\nid: 2\ndata: y\n\n",
        ["no colon"] = "data\n\nevent\ndata: x\n\nfoo\n\nfoo\ndata: x\n\n",
        ["NUL"] = "data: a\0b\nid: \0\n\n\0data: c\n\n",
        ["other line separators"] = "data: a\u2028b\u2029c\u0085d\ve\ff\n\n",
        ["unknown fields"] = "datax: 1\nDATA: x\n data: x\nevents: y\n\ndat: a\nda\nd\ne\ni\nr\nidx: 1\nretry2: 3\n\n",
        ["names"] = "event: error\ndata: {}\n\nevent: a\nevent: b\ndata: x\n\nevent: c\nevent:\ndata: y\n\nevent: only\n\n",
        ["blank lines"] = "\n\n\r\n\r\n\r\r\n\ndata: x\n\n\n\n",
        ["ends within an event"] = "data: x\n\ndata: never\n",
        ["ends within a CRLF"] = "data: x\r\n\r\ndata: y\r\n\r",
        ["nothing"] = "",
    };

    public static IEnumerable<string> Names => _all.Keys;

    public static byte[] Bytes(string name) => Encoding.UTF8.GetBytes(_all[name]);
}
