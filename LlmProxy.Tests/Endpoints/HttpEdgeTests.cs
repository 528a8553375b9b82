using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using NUnit.Framework;

namespace LlmProxy.Tests.Endpoints;

internal sealed class HttpEdgeTests
{
    [TestCase("HTTP/1.1", "Content-Length", "5", null)]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "chunked", null)]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "Chunked", null)]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "gzip, chunked", "501 unsupported_transfer_encoding")]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "xchunked", "501 unsupported_transfer_encoding")]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "chunked, identity", "501 unsupported_transfer_encoding")]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "chunked;x=1", "501 unsupported_transfer_encoding")]
    [TestCase("HTTP/1.1", "Transfer-Encoding", "", "501 unsupported_transfer_encoding")]
    [TestCase("HTTP/1.0", "Transfer-Encoding", "chunked", "400 invalid_request")]
    [TestCase("HTTP/1.1", "Expect", "100-continue", null)]
    [TestCase("HTTP/1.1", "Expect", "100-Continue", null)]
    [TestCase("HTTP/1.1", "Expect", "200-ok", "417 expectation_failed")]
    [TestCase("HTTP/1.1", "Expect", "", "417 expectation_failed")]
    [TestCase("HTTP/1.1", "Host", "", "400 invalid_request")]
    [TestCase("HTTP/1.1", "Host", " ", "400 invalid_request")]
    public void Only_plain_framing_passes(string protocol, string name, string value, string? refused) =>
        Assert.That(Check(protocol, (name, value)), Is.EqualTo(refused));

    [Test]
    public void What_says_two_things_is_refused()
    {
        Assert.That(Check("HTTP/1.1", ("Transfer-Encoding", "chunked"), ("Content-Length", "5")), Is.EqualTo("400 invalid_request"));
        Assert.That(Check("HTTP/1.1", ("Transfer-Encoding", "chunked"), ("X-Content-Length", "5")), Is.EqualTo("400 invalid_request"));
        Assert.That(Check("HTTP/1.1", ("Transfer-Encoding", new StringValues(["chunked", "chunked"]))), Is.EqualTo("501 unsupported_transfer_encoding"));
        Assert.That(Check("HTTP/1.1", ("Transfer-Encoding", new StringValues(["gzip", "chunked"]))), Is.EqualTo("501 unsupported_transfer_encoding"));
        Assert.That(Check("HTTP/1.1", ("Expect", new StringValues(["100-continue", "x"]))), Is.EqualTo("417 expectation_failed"));
    }

    [Test]
    public void A_request_without_a_host_is_refused()
    {
        var http = new DefaultHttpContext();
        Assert.That(HttpEdge.Check(http.Request)!.Status, Is.EqualTo(400));
    }

    private static string? Check(string protocol, params (string Name, StringValues Value)[] headers)
    {
        var http = new DefaultHttpContext();
        http.Request.Protocol = protocol;
        http.Request.Headers.Host = "h";
        foreach (var (name, value) in headers)
        {
            http.Request.Headers[name] = value;
        }

        var error = HttpEdge.Check(http.Request);
        Assert.That(error is null || error.ClosesConnection, "what was framed doubtfully ends its connection");
        return error is null ? null : $"{error.Status} {error.Code}";
    }
}
