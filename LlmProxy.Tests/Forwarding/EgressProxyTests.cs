using System.Net;
using LlmProxy.Core.Forwarding;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

[NonParallelizable]
internal sealed class EgressProxyTests
{
    private IWebProxy _before = null!;

    [SetUp]
    public void SetEnvironment()
    {
        _before = HttpClient.DefaultProxy;
        HttpClient.DefaultProxy = new WebProxy("http://proxy.example:3128") { BypassList = [@"bypassed\.example"] };
    }

    [TearDown]
    public void RestoreEnvironment() => HttpClient.DefaultProxy = _before;

    [TestCase("https://api.openai.com", true)]
    [TestCase("http://8.8.8.8", true)]
    [TestCase("http://172.15.0.1", true)]
    [TestCase("http://172.32.0.1", true)]
    [TestCase("http://[2001:db8::1]", true)]
    [TestCase("https://bypassed.example", false)]
    [TestCase("http://localhost:8000", false)]
    [TestCase("http://127.0.0.9:8000", false)]
    [TestCase("http://[::1]:8000", false)]
    [TestCase("http://10.1.2.3", false)]
    [TestCase("http://172.16.0.1", false)]
    [TestCase("http://172.31.255.255", false)]
    [TestCase("http://192.168.1.1", false)]
    [TestCase("http://169.254.169.254", false)]
    [TestCase("http://[fd00::1]", false)]
    [TestCase("http://[fe80::1]", false)]
    public void The_environments_proxy_is_for_the_internet_only(string destination, bool isProxied) =>
        Assert.That(EgressProxy.Create("Environment", new Uri(destination)), isProxied ? Is.SameAs(HttpClient.DefaultProxy) : Is.Null);

    [Test]
    public void A_configured_proxy_is_used_for_everything_and_none_for_nothing()
    {
        var proxy = EgressProxy.Create("http://other.example:8080", new Uri("http://10.1.2.3"))!;
        Assert.That(proxy.GetProxy(new Uri("http://10.1.2.3")), Is.EqualTo(new Uri("http://other.example:8080")));
        Assert.That(EgressProxy.Create("None", new Uri("https://api.openai.com")), Is.Null);
    }

    [TestCase("30", 30)]
    [TestCase("0.5", 0.5)]
    [TestCase("0", 0)]
    [TestCase("-1", 0)]
    [TestCase("NaN", 0)]
    [TestCase("1e9", 0)]
    [TestCase("x", 0)]
    public void A_clients_own_timeout_is_read_if_it_can_be_meant(string header, double expected)
    {
        var headers = new HeaderDictionary { ["x-stainless-timeout"] = header };
        Assert.That(ClientTimeout.Of(headers), Is.EqualTo(TimeSpan.FromSeconds(expected)));
        Assert.That(ClientTimeout.Of(new HeaderDictionary()), Is.EqualTo(TimeSpan.Zero));
    }
}
