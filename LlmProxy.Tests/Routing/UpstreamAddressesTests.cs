using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Routing;

internal sealed class UpstreamAddressesTests
{
    private const string Dated = "2024-10-21";

    [TestCase("https://x.openai.azure.com", null, "https://x.openai.azure.com/openai/v1/chat/completions")]
    [TestCase("https://x.openai.azure.com/", null, "https://x.openai.azure.com/openai/v1/chat/completions")]
    [TestCase("https://x.openai.azure.com/openai", null, "https://x.openai.azure.com/openai/v1/chat/completions")]
    [TestCase("https://x.openai.azure.com/openai/v1/", null, "https://x.openai.azure.com/openai/v1/chat/completions")]
    [TestCase("https://x.openai.azure.com/openai/v1", "preview", "https://x.openai.azure.com/openai/v1/chat/completions?api-version=preview")]
    [TestCase("https://x.openai.azure.com", Dated, "https://x.openai.azure.com/openai/deployments/gpt5-prod/chat/completions?api-version=2024-10-21")]
    [TestCase("https://x.openai.azure.com/openai/v1", Dated, "https://x.openai.azure.com/openai/deployments/gpt5-prod/chat/completions?api-version=2024-10-21")]
    [TestCase("https://gateway.example/team", "2025-04-01-preview", "https://gateway.example/team/openai/deployments/gpt5-prod/chat/completions?api-version=2025-04-01-preview")]
    [TestCase("https://gateway.example/team/v2", null, "https://gateway.example/team/v2/openai/v1/chat/completions")]
    public void An_Azure_resource_is_asked_at_its_new_paths_or_with_a_dated_version_at_its_classic_ones(string url, string? version, string expected) =>
        Assert.That(Azure(version, url).AddressOf(Row("/chat/completions"), "", "", "gpt5-prod").AbsoluteUri, Is.EqualTo(expected));

    [TestCase("/embeddings", "deployments/gpt5-prod/embeddings?api-version=2024-10-21")]
    [TestCase("/completions", "deployments/gpt5-prod/completions?api-version=2024-10-21")]
    [TestCase("/responses", "responses?api-version=2024-10-21")]
    [TestCase("/responses/{id}", "responses/resp_1?api-version=2024-10-21&limit=2")]
    [TestCase("/responses/{id}/cancel", "responses/resp_1/cancel?api-version=2024-10-21&limit=2")]
    public void What_no_deployment_serves_stands_beside_them(string path, string expected)
    {
        var row = Row(path);
        Assert.That(Azure(Dated).AddressOf(row, row.HasId ? "resp_1" : "", row.HasId ? "?limit=2" : "", "gpt5-prod").AbsoluteUri, Is.EqualTo("https://x.openai.azure.com/openai/" + expected));
    }

    [TestCase("my deployment", "my%20deployment")]
    [TestCase("Qwen/Qwen3", "Qwen%2FQwen3")]
    [TestCase("a?b#c", "a%3Fb%23c")]
    [TestCase("a\\..\\b", "a%5C..%5Cb")]
    [TestCase("a%2Fb", "a%252Fb")]
    [TestCase("..", "%252E%252E")]
    [TestCase(".", "%252E")]
    public void Whatever_a_deployment_is_called_it_stays_one_part_of_the_path(string name, string expected)
    {
        var address = Azure(Dated).AddressOf(Row("/chat/completions"), "", "", name);
        Assert.That(address.AbsoluteUri, Is.EqualTo($"https://x.openai.azure.com/openai/deployments/{expected}/chat/completions?api-version=2024-10-21"));
    }

    [Test]
    public void The_address_of_a_deployment_that_is_configured_is_worked_out_once()
    {
        var target = new Target(Azure(Dated), "gpt5-prod");
        var address = target.AddressOf(Row("/chat/completions"), "", "", "");
        Assert.That(address.AbsoluteUri, Is.EqualTo("https://x.openai.azure.com/openai/deployments/gpt5-prod/chat/completions?api-version=2024-10-21"));
        Assert.That(target.AddressOf(Row("/chat/completions"), "", "", ""), Is.SameAs(address));
        Assert.That(target.AddressOf(Row("/responses"), "", "", "").AbsoluteUri, Is.EqualTo("https://x.openai.azure.com/openai/responses?api-version=2024-10-21"));
    }

    [TestCase("gpt-5", true)]
    [TestCase("gpt_4.1-mini", true)]
    [TestCase("..", false)]
    [TestCase("...", false)]
    [TestCase("", false)]
    [TestCase("a/b", false)]
    [TestCase("a/../../b", false)]
    [TestCase("a%2Fb", false)]
    [TestCase("a\\b", false)]
    [TestCase("a?x=1", false)]
    [TestCase("a#b", false)]
    [TestCase("a;b", false)]
    [TestCase("ä", false)]
    [TestCase("\uFF0E\uFF0E", false)]
    public void S15_a_name_from_a_client_becomes_part_of_a_path_only_if_a_deployment_can_be_called_so(string name, bool can)
    {
        var caller = new Caller("anybody", null, [], false);
        var options = new LlmProxyOptions();
        options.Upstreams["azure"] = new UpstreamOptions { Kind = UpstreamKind.AzureOpenAI, Url = new Uri("https://x.openai.azure.com"), ApiVersion = Dated };
        options.Upstreams["other"] = new UpstreamOptions { Url = new Uri("http://h") };
        options.Models["az-*"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "azure", Model = "*" } } };
        options.Models["both-*"] = new ModelOptions
        { Targets = { new TargetOptions { Upstream = "azure", Model = "*" }, new TargetOptions { Upstream = "other", Model = "*" } } };
        var routes = RouteTableCompiler.Compile(options);
        Assert.That(routes.Resolve("az-" + name, caller, false).Error?.Code, Is.EqualTo(can ? null : "model_not_found"));
        var both = routes.Resolve("both-" + name, caller, false).Value;
        Assert.That(both.Route.Targets.Where(t => t.Serves(Operations.Chat, both.Star)).Select(t => t.Upstream.Name), Is.EqualTo(can ? new[] { "azure", "other" } : ["other"]));

        // And if somebody asked all the same:
        var path = both.Route.Targets[0].AddressOf(Row("/chat/completions"), "", "", both.Star).AbsolutePath;
        Assert.That(Uri.UnescapeDataString(path).Split('/'), Has.Length.EqualTo(6).And.None.EqualTo("..").And.None.EqualTo("."));
    }

    [TestCase(UpstreamKind.OpenAI, null, null, "https://api.openai.com/v1/models")]
    [TestCase(UpstreamKind.Anthropic, null, null, "https://api.anthropic.com/v1/models")]
    [TestCase(UpstreamKind.Ollama, null, null, "http://127.0.0.1:11434/v1/models")]
    [TestCase(UpstreamKind.VLlm, "http://h:8000", null, "http://h:8000/v1/models")]
    [TestCase(UpstreamKind.OpenAICompatible, "http://h/api/v3/", null, "http://h/api/v3/models")]
    [TestCase(UpstreamKind.AzureOpenAI, "https://x.openai.azure.com", null, "https://x.openai.azure.com/openai/v1/models")]
    [TestCase(UpstreamKind.AzureOpenAI, "https://x.openai.azure.com", "preview", "https://x.openai.azure.com/openai/v1/models?api-version=preview")]
    [TestCase(UpstreamKind.AzureOpenAI, "https://x.openai.azure.com", Dated, "https://x.openai.azure.com/openai/models?api-version=2024-10-21")]
    public void Every_kind_says_where_it_is_found_out_whether_it_is_there(UpstreamKind kind, string? url, string? version, string expected)
    {
        var options = new UpstreamOptions { Kind = kind, Url = url is null ? null : new Uri(url), ApiVersion = version };
        Assert.That(new Upstream("a", options, EndpointTable.Rows).ProbeAddress.AbsoluteUri, Is.EqualTo(expected));
    }

    [TestCase(null, Operations.Chat | Operations.Completions | Operations.Embeddings | Operations.Responses)]
    [TestCase(Dated, Operations.Chat | Operations.Completions | Operations.Embeddings)]
    public void An_Azure_resource_has_its_own_name_key_and_operations(string? version, Operations operations)
    {
        var upstream = Azure(version);
        Assert.That((upstream.Provider, upstream.Operations), Is.EqualTo(("azure.ai.openai", operations)));
        Assert.That(upstream.Key, Is.EqualTo(new KeyValuePair<string, string>("api-key", "key-of-azure")));
    }

    private static Upstream Azure(string? version, string url = "https://x.openai.azure.com") => new(
        "a", new UpstreamOptions { Kind = UpstreamKind.AzureOpenAI, Url = new Uri(url), ApiVersion = version, ApiKey = "key-of-azure" }, EndpointTable.Rows);

    private static Endpoint Row(string path) => EndpointTable.Rows.First(row => row.Path == path && !row.IsLocal);
}
