using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class UpstreamTests
{
    [Test]
    public void All_members_of_an_upstream_are_read()
    {
        var upstream = Written.Read(Written.Upstream("""
            "Kind": "Ollama", "ApiKey": "${KEY}", "Operations": ["-completions", "+models"], "Headers": { "X-Team": "a b" }, "HttpVersion": 2,
            "Proxy": "http://proxy:3128", "RequireFinishReason": true, "AllowLinkLocal": true, "Timeouts": { "Connect": "1s", "FirstEvent": "2s", "Idle": "3s",
            "Response": "4s", "Total": "5s", "Heartbeat": "6s", "StalledReader": "7s" }
            """)).Upstreams["a"];
        Assert.That((upstream.Kind, upstream.Url, upstream.ApiKey), Is.EqualTo((UpstreamKind.Ollama, (Uri?)null, Written.Canary)));
        Assert.That(upstream.Operations, Is.EqualTo(new[] { "-completions", "+models" }));
        Assert.That(upstream.Headers["X-TEAM"], Is.EqualTo("a b"));
        Assert.That((upstream.Proxy, upstream.RequireFinishReason, upstream.AllowLinkLocal, upstream.HttpVersion), Is.EqualTo(("http://proxy:3128", true, true, new Version(2, 0))));
        var t = upstream.Timeouts;
        Assert.That(
            new[] { t.Connect, t.FirstEvent, t.Idle, t.Response, t.Total, t.Heartbeat, t.StalledReader },
            Is.EqualTo(Enumerable.Range(1, 7).Select(static s => TimeSpan.FromSeconds(s))));
    }

    [TestCase("\"Url\": \"10.0.4.11:8000\"", "Url: is not a whole address: write it with http:// or https://, for example \"http://10.0.4.11:8000\".")]
    [TestCase("\"Url\": \"localhost:8000\"", "Url: needs to start with http:// or https://, for example \"http://10.0.4.11:8000\".")]
    [TestCase("\"Url\": \"/v1\"", "Url: needs to start with http:// or https://, for example \"http://10.0.4.11:8000\".")]
    [TestCase("\"Url\": \"ftp://host/v1\"", "Url: needs to start with http:// or https://, for example \"http://10.0.4.11:8000\".")]
    [TestCase("\"Url\": \"http://host:99999/v1\"", "Url: is not a valid address: write for example \"http://10.0.4.11:8000\".")]
    [TestCase("\"Url\": \"http://host:0/v1\"", "Url: needs a host and a port from 1 to 65535.")]
    [TestCase("\"Url\": \"http://u:p@host/v1\"", "Url: holds credentials. Write them as ApiKey or in Headers.")]
    [TestCase("\"Url\": \"http://host/v1?a=b\"", "Url: holds a query or a fragment (\"?\" or \"#\"). Write scheme, host, port and path only.")]
    [TestCase("\"Url\": \"http://host/v1#\"", "Url: holds a query or a fragment (\"?\" or \"#\"). Write scheme, host, port and path only.")]
    [TestCase("\"Url\": \"http://169.254.169.254/v1\"", "Url: is a link-local address or a cloud's metadata service. If that is meant, set AllowLinkLocal to true.")]
    [TestCase("\"Url\": \"http://2852039166/v1\"", "Url: is a link-local address or a cloud's metadata service. If that is meant, set AllowLinkLocal to true.")]
    [TestCase("\"Url\": \"http://[fe80::1]:8000\"", "Url: is a link-local address or a cloud's metadata service. If that is meant, set AllowLinkLocal to true.")]
    [TestCase("\"Kind\": \"OpenAI\", \"HttpVersion\": 3", "HttpVersion: needs 1.1 or 2, not \"3\".")]
    [TestCase("\"Kind\": \"OpenAI\", \"Proxy\": \"none\"", "Proxy: \"none\": write \"None\".")]
    [TestCase("\"Kind\": \"OpenAI\", \"Proxy\": \"proxy:3128\"", "Proxy: is not the address of a proxy. Write \"Environment\", \"None\" or an address such as \"http://proxy:3128\".")]
    [TestCase("\"Kind\": \"OpenAI\", \"Proxy\": \"http://u:p@proxy\"", "Proxy: holds credentials; signing in at a proxy is not in this version.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Proxy\": \"http://proxy/x\"", "Proxy: holds more than scheme, host and port. Write \"Environment\", \"None\" or an address such as \"http://proxy:3128\".")]
    [TestCase("\"Kind\": \"OpenAI\", \"Operations\": [\"chat\"]", "Operations[0]: \"chat\" needs a sign: \"+embeddings\" adds, \"-embeddings\" takes away.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Operations\": [\"-chat\", \"+embedings\"]", "Operations[1]: unknown operation \"+embedings\". Did you mean \"embeddings\"?")]
    [TestCase("\"Kind\": \"OpenAI\", \"Operations\": [\"-chat\", \"+chat\"]", "Operations[1]: \"+chat\" names an operation for the second time.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com\", \"ApiVersion\": \"2024-1-1\"", "ApiVersion: \"2024-1-1\" is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com\", \"ApiVersion\": \"2024-13-01\"", "ApiVersion: \"2024-13-01\" is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com\", \"ApiVersion\": \"2024-10-21-beta\"", "ApiVersion: \"2024-10-21-beta\" is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com\", \"ApiVersion\": \"\"", "ApiVersion: \"\" is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com\", \"ApiVersion\": \"preview&x=1\"", "ApiVersion: \"preview&x=1\" is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.")]
    [TestCase("\"Kind\": \"OpenAI\", \"ApiVersion\": \"preview\"", "ApiVersion: is for the kind AzureOpenAI only. Leave it out.")]
    [TestCase("\"Kind\": \"AzureOpenAI\", \"Url\": \"https://x.openai.azure.com/openai/deployments/gpt-5\"", "Url: holds a deployment. Write the address of the resource only; the deployment is the model of a target.")]
    [TestCase("\"Kind\": \"OpenAI\", \"CaFile\": \"ca.pem\"", "CaFile: \"ca.pem\" is not a whole path. Name a PEM file with the certificate of the authority that signed the upstream's, or leave it out.")]
    [TestCase("\"Kind\": \"OpenAI\", \"CaFile\": \"/nowhere/ca.pem\"", "CaFile: \"/nowhere/ca.pem\" does not exist. Name a PEM file with the certificate of the authority that signed the upstream's, or leave it out.")]
    [TestCase("\"Kind\": \"OpenAI\", \"CaFile\": \"/\"", "CaFile: \"/\" may not be read: it is a directory, or access is denied. Name a PEM file with the certificate of the authority that signed the upstream's, or leave it out.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"X Y\": \"x\" }", "Headers › X Y: is not the name of a header: letters, digits and \"-\".")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"content-length\": \"1\" }", "Headers › content-length: is set by the proxy and cannot be configured.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"Authorization\": \"Bearer ${KEY}\" }", "Headers › Authorization: is sent by the proxy. Write the secret as ApiKey of the upstream.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"X-A\": \"a\\r\\nX-B: b\" }", "Headers › X-A: needs a value of visible ASCII characters, blanks only between them.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"X-A\": \"ä\" }", "Headers › X-A: needs a value of visible ASCII characters, blanks only between them.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"X-A\": \" a\" }", "Headers › X-A: needs a value of visible ASCII characters, blanks only between them.")]
    [TestCase("\"Kind\": \"OpenAI\", \"Headers\": { \"X-A\": \"\" }", "Headers › X-A: is empty. Leave the header out.")]
    public void An_upstream_that_cannot_be_reached_as_written_is_refused(string members, string problem)
    {
        Assert.That(Written.Refused(Written.Upstream(members)), Is.EqualTo(new[] { "error  line 2  Upstreams › a › " + problem }));
    }

    [TestCase("\"Kind\": \"vLLM\"", "vLLM")]
    [TestCase("", "OpenAICompatible")]
    [TestCase("\"Kind\": \"AzureOpenAI\"", "AzureOpenAI", "https://example-eu.openai.azure.com")]
    public void A_kind_without_a_well_known_address_needs_one(string members, string kind, string example = "http://10.0.4.11:8000")
    {
        Assert.That(Written.Refused(Written.Upstream(members)), Is.EqualTo(new[]
        {
            $"error  line 1  Upstreams › a › Url: is missing: the address of {kind} is not well known. Write for example \"{example}\".",
        }));
    }

    [TestCase("http://10.0.4.11:8000")]
    [TestCase("https://example.com/proxy/openai/v1/")]
    [TestCase("http://[::1]:8000/v1")]
    public void An_address_with_or_without_a_path_is_taken(string url)
    {
        Assert.That(Written.Read(Written.Upstream($"\"Url\": \"{url}\"")).Upstreams["a"].Url, Is.EqualTo(new Uri(url)));
    }

    [TestCase("Environment")]
    [TestCase("None")]
    [TestCase("socks5://127.0.0.1:1080")]
    public void A_proxy_is_a_word_or_an_address(string proxy)
    {
        Assert.That(Written.Read(Written.Upstream($"\"Kind\": \"OpenAI\", \"Proxy\": \"{proxy}\"")).Upstreams["a"].Proxy, Is.EqualTo(proxy));
    }

    [Test]
    public void Without_upstreams_or_models_there_is_nothing_to_serve()
    {
        Assert.That(Written.Refused("{ }"), Is.EqualTo(new[]
        {
            "error  line 1  Upstreams: no upstream is configured: at least one is needed.",
            "error  line 1  Models: no model is configured: at least one is needed, for example \"*\": \"openai/*\".",
        }));
    }

    [TestCase("a/b")]
    [TestCase("a:b")]
    [TestCase("a*")]
    [TestCase("ä")]
    [TestCase("")]
    public void The_name_of_an_upstream_fits_into_a_target_and_a_header(string name)
    {
        Assert.That(
            Written.Refused($$"""{ "Upstreams": { "{{name}}": { "Kind": "OpenAI" }, "x": { "Kind": "OpenAI" } }, "Models": { "*": "x/*" } }"""),
            Is.EqualTo(new[] { $"error  line 1  Upstreams › {name}: the name of an upstream has 1 to 100 letters (a to z), digits, \".\", \"_\" and \"-\"." }));
    }

    [TestCase("\"Api\": \"127.0.0.1:8000\"", "Api: is not an http:// or https:// address: write for example \"http://127.0.0.1:8000\".")]
    [TestCase("\"Api\": \"tcp://127.0.0.1:8000\"", "Api: is not an http:// or https:// address: write for example \"http://127.0.0.1:8000\".")]
    [TestCase("\"Api\": \"http://127.0.0.1:70000\"", "Api: has no valid port: 0 to 65535, 0 takes any free one.")]
    [TestCase("\"Api\": \"http://127.0.0.1:8000/v1\"", "Api: holds more than scheme, address and port: write for example \"http://127.0.0.1:8000\".")]
    [TestCase("\"Api\": \"http://example.com:8000\"", "Api: needs an IP address, localhost or * between \"//\" and the port: write for example \"http://127.0.0.1:8000\".")]
    [TestCase("\"Api\": \"https://127.0.0.1:8443\"", "Certificate: is missing: https needs a PEM file with the chain and its private key.")]
    [TestCase("\"Api\": \"https://127.0.0.1:8443\", \"Certificate\": \"\"", "Certificate: is empty. Name a PEM file, or leave it out.")]
    [TestCase("\"Api\": \"http://0.0.0.0:8000\", \"Admin\": \"http://127.0.0.1:8000\"", "Admin: has the port of Api. Give it one of its own.")]
    public void An_address_that_nobody_can_listen_on_is_refused(string members, string problem)
    {
        Assert.That(Written.Refused(Written.Root($$"""  "Listen": { {{members}} } """)), Is.EqualTo(new[] { "error  line 2  Listen › " + problem }));
    }

    [TestCase("http://127.0.0.1:0")]
    [TestCase("http://localhost:8000/")]
    [TestCase("http://[::1]:8000")]
    [TestCase("http://*:8000")]
    [TestCase("http://+:8000")]
    public void An_address_to_listen_on_is_taken_as_written(string address)
    {
        Assert.That(Written.Read(Written.Root($$"""  "Listen": { "Api": "{{address}}" } """)).Listen.Api, Is.EqualTo(address));
    }

    [Test]
    public void A_certificate_that_nothing_uses_is_a_warning()
    {
        Assert.That(
            Written.Warned(Written.Root("\"Listen\": { \"Api\": \"http://127.0.0.1:1\", \"Certificate\": \"x.pem\" }")),
            Is.EqualTo(new[] { "warn   line 2  Listen › Certificate: is not used: no address starts with https://." }));
    }
}
