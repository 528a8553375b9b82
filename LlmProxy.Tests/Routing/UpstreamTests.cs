using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Routing;

internal sealed class UpstreamTests
{
    [TestCase("http://h:1", "http://h:1/v1/chat/completions")]
    [TestCase("http://h:1/", "http://h:1/v1/chat/completions")]
    [TestCase("http://h:1/v1", "http://h:1/v1/chat/completions")]
    [TestCase("http://h:1/v1/", "http://h:1/v1/chat/completions")]
    [TestCase("http://h:1/api/v3", "http://h:1/api/v3/chat/completions")]
    [TestCase("http://h:1/v1beta/openai/", "http://h:1/v1beta/openai/chat/completions")]
    [TestCase("http://h:1/tenant", "http://h:1/tenant/v1/chat/completions")]
    [TestCase("http://h:1/vendor", "http://h:1/vendor/v1/chat/completions")]
    [TestCase("https://[::1]:8443/a%2Fb", "https://[::1]:8443/a%2Fb/v1/chat/completions")]
    public void An_address_may_end_in_its_version_or_not(string url, string expected)
    {
        var upstream = new Upstream("a", new UpstreamOptions { Url = new Uri(url) }, EndpointTable.Rows);
        Assert.That(upstream.AddressOf(EndpointTable.Rows[0], "", "", "").AbsoluteUri, Is.EqualTo(expected));
    }

    [Test]
    public void Operations_are_those_of_the_kind_with_what_was_added_and_taken_away()
    {
        var upstream = new Upstream("a", new UpstreamOptions { Url = new Uri("http://h"), Operations = { "-completions", "-embeddings", "+completions" } }, EndpointTable.Rows);
        Assert.That(upstream.Operations, Is.EqualTo(Operations.Chat | Operations.Completions));
    }

    [Test]
    public void It_says_its_name_and_never_its_secret()
    {
        var upstream = new Upstream("a", new UpstreamOptions { Url = new Uri("http://gpu-7.example:8000"), ApiKey = "secret-0123456789" }, EndpointTable.Rows);
        Assert.That(upstream.ToString(), Is.EqualTo("a"));
        Assert.That(upstream.Key, Is.EqualTo(new KeyValuePair<string, string>("Authorization", "Bearer secret-0123456789")));
        Assert.That(upstream.Redactor.Apply("http://gpu-7.example:8000/v1/models gpu-7.example:8000 SECRET-0123456789"), Is.EqualTo("[redacted]/models [redacted] [redacted]"));
    }

    [Test]
    public void Long_values_of_its_headers_are_taken_for_secrets_and_short_ones_for_words() => Assert.That(
        new Upstream("a", new UpstreamOptions { Url = new Uri("http://h"), Headers = { ["X-Key"] = "tenant-secret-1", ["X-Class"] = "small" } }, EndpointTable.Rows, ["model-secret-12", "fast"])
            .Redactor.Apply("small, fast, TENANT-SECRET-1, model-secret-12"),
        Is.EqualTo("small, fast, [redacted], [redacted]"));

    [Test]
    public void A_host_of_three_letters_is_no_secret() => Assert.That(
        new Upstream("a", new UpstreamOptions { Url = new Uri("http://gpu") }, EndpointTable.Rows).Redactor.Apply("the gpu is out of memory"),
        Is.EqualTo("the gpu is out of memory"));
}
