using System.Net.Sockets;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

internal sealed class FaultsTests
{
    private static readonly SocketException _reset = new((int)SocketError.ConnectionReset);

    private static readonly (Exception Exception, string Before, string Within)[] _rows =
    [
        (Request(HttpRequestError.NameResolutionError), "upstream_dns_error", "upstream_truncated"),
        (Request(HttpRequestError.SecureConnectionError), "upstream_tls_error", "upstream_truncated"),
        (Request(HttpRequestError.ConnectionError, _reset), "upstream_connect_error", "upstream_reset"),
        (Request(HttpRequestError.ProxyTunnelError), "upstream_connect_error", "upstream_truncated"),
        (Request(HttpRequestError.InvalidResponse), "upstream_protocol_error", "upstream_truncated"),
        (Request(HttpRequestError.ResponseEnded), "upstream_protocol_error", "upstream_truncated"),
        (Request(HttpRequestError.Unknown, new IOException("x", _reset)), "upstream_reset", "upstream_reset"),
        (Request(HttpRequestError.Unknown), "upstream_protocol_error", "upstream_truncated"),
        (new TaskCanceledException("x", new TimeoutException()), "upstream_connect_timeout", "upstream_truncated"),
        (new IOException("x", _reset), "upstream_reset", "upstream_reset"),
        (new HttpIOException(HttpRequestError.ResponseEnded), "upstream_protocol_error", "upstream_truncated"),
        (new HttpIOException(HttpRequestError.InvalidResponse), "upstream_protocol_error", "upstream_protocol_error"),
        (new HttpIOException(HttpRequestError.HttpProtocolError), "upstream_protocol_error", "upstream_protocol_error"),
        (new InvalidDataException("gzip"), "upstream_protocol_error", "upstream_unsupported_encoding"),
    ];

    private static IEnumerable<TestCaseData> Rows() => _rows.Select((row, i) => new TestCaseData(row.Exception, row.Before, row.Within)
        .SetArgDisplayNames($"{i}", (row.Exception as HttpRequestException)?.HttpRequestError.ToString() ?? row.Exception.GetType().Name));

    [TestCaseSource(nameof(Rows))]
    public void An_exception_is_told_by_its_kind(Exception exception, string before, string within) =>
        Assert.That((Faults.BeforeAnswer(exception, hasConnected: false).Code, Faults.InAnswer(exception).Code), Is.EqualTo((before, within)));

    [Test]
    public void A_timeout_on_a_connection_that_was_made_is_TLS_not_answering() => Assert.That(
        Faults.BeforeAnswer(new TaskCanceledException("x", new TimeoutException()), hasConnected: true).Code, Is.EqualTo("upstream_tls_error"));

    [TestCase("FirstEvent", "upstream_timeout")]
    [TestCase("Response", "upstream_timeout")]
    [TestCase("Idle", "upstream_idle_timeout")]
    [TestCase("Total", "deadline_exceeded")]
    [TestCase("Shutdown", "server_shutting_down")]
    [TestCase("ClientGone", null)]
    [TestCase("StalledReader", null)]
    public void A_cut_off_says_who_was_too_slow(string reason, string? code) =>
        Assert.That(Faults.OfCutOff(Enum.Parse<CutOff>(reason))?.Code, Is.EqualTo(code));

    [Test]
    public void Only_the_proxy_itself_is_to_blame_for_its_shutdown_and_its_faults() =>
        Assert.That(Enum.GetValues<CutOff>().Where(r => Faults.OfCutOff(r)?.Blame == Blame.Proxy), Is.EquivalentTo(new[] { CutOff.Shutdown, CutOff.Fault }));

    private static HttpRequestException Request(HttpRequestError kind, Exception? inner = null) => new(kind, "x", inner);
}
