using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class ExampleTests
{
    private const string Company = """
        {
          "$schema": "./llmproxy.schema.json",
          "Listen": { "Api": "https://0.0.0.0:8443", "Admin": "http://127.0.0.1:8001", "Certificate": "/run/secrets/tls.pem",
                      "TrustedProxies": ["10.0.0.0/8"] },
          "Store": { "Kind": "PostgreSQL", "ConnectionString": "${file:/run/secrets/postgres}" },   // absent: SQLite
          "Contact": "platform@example.com",                   // ends every refusal
          "Upstreams": {
            "openai":    { "Kind": "OpenAI", "ApiKey": "${OPENAI_API_KEY}", "Proxy": "http://proxy:3128" },
            "azure-eu":  { "Kind": "AzureOpenAI", "Url": "https://example-eu.openai.azure.com", "ApiKey": "${AZURE_KEY}", "Tags": ["eu"] },
            "anthropic": { "Kind": "Anthropic", "ApiKey": "${file:/run/secrets/anthropic}", "Timeouts": { "FirstEvent": "3m" } },
            "vllm-a":    { "Kind": "vLLM", "Url": "http://10.0.4.11:8000", "Concurrent": 64 },
            "vllm-b":    { "Kind": "vLLM", "Url": "http://10.0.4.12:8000", "Concurrent": 64 }
          },
          "Models": {
            "claude-*":   "anthropic/*",                       // a pattern; the star carries over
            "gpt-5":      ["azure-eu/gpt5-prod", "openai/gpt-5"],   // in this order
            "gpt-5-mini": "openai/gpt-5-mini",
            "qwen-coder": {
              "Targets": [ { "Upstream": "vllm-a", "Model": "Qwen/Qwen3-Coder-30B", "Weight": 1 },
                           { "Upstream": "vllm-b", "Model": "Qwen/Qwen3-Coder-30B", "Weight": 1 } ],
              "Balance": "Affinity", "Aliases": ["claude-qwen-coder"], "Context": 262144,
              "Set": { "temperature": 0.2 }, "Default": { "max_tokens": 4096 }, "Remove": ["logit_bias"] }
          },
          "UnpricedModels": "Refuse",                          // for keys with a budget
          "Prices": {                                          // US dollars per million tokens
            "vllm-*/*": { "Input": 0.10, "Output": 0.40 },
          },
          "Groups": {
            "engineering": { "Models": ["claude-*", "gpt-*", "qwen-coder"], "Budget": { "Month": 40000 },
              "EachKey": { "Budget": { "Day": 40, "Month": 400 }, "RequestsPerMinute": 120, "Concurrent": 12 } },
            "hr-apps":  { "Models": ["gpt-5"], "UpstreamTags": ["eu"], "TokensPerMinute": 500000 },
            "chat":     { "Models": ["gpt-5-mini", "qwen-coder"], "EndUser": { "Header": "X-OpenWebUI-User-Email", "Budget": { "Month": 30 } } }
          },
          "Keys": { "billing": { "Group": "hr-apps", "Hash": "sha256:…" }, "open-webui": { "Group": "chat", "Hash": "sha256:…" } }
        }
        """;

    [Test]
    public void The_smallest_useful_file_is_all_that_is_needed()
    {
        var options = Written.Read(
            """{ "Upstreams": { "openai": { "Kind": "OpenAI", "ApiKey": "${OPENAI_API_KEY}" } }, "Models": { "*": "openai/*" } }""",
            out var warnings);

        Assert.That(warnings, Is.Empty);
        Assert.That(options.Upstreams["openai"].Kind, Is.EqualTo(UpstreamKind.OpenAI));
        Assert.That(options.Upstreams["openai"].ApiKey, Is.EqualTo(Written.Canary));
        var target = options.Models["*"].Targets.Single();
        Assert.That((target.Upstream, target.Model, target.Weight), Is.EqualTo(("openai", "*", (int?)null)));
    }

    [Test]
    public void The_file_of_a_whole_company_is_told_all_at_once_what_is_not_in_this_version()
    {
        string[] expected =
        [
            "error  line 5  Store › ConnectionString: the file /run/secrets/postgres does not exist.",
            "error  line 9  Upstreams › azure-eu › ApiKey: the environment variable AZURE_KEY is not set.",
            "error  line 34  Keys › billing › Hash: is not \"sha256:\" and 64 hexadecimal digits.",
            "error  line 34  Keys › open-webui › Hash: is not \"sha256:\" and 64 hexadecimal digits.",
        ];
        Assert.That(Written.Refused(Company), Is.EqualTo(expected));
    }

    [Test]
    public void The_file_of_a_whole_company_is_read_once_it_holds_only_what_this_version_knows()
    {
        var json = Company
            .Replace("{ \"Kind\": \"PostgreSQL\", \"ConnectionString\": \"${file:/run/secrets/postgres}\" }", "{ \"Kind\": \"None\" }", StringComparison.Ordinal)
            .Replace("${AZURE_KEY}", "${KEY}", StringComparison.Ordinal)
            .Replace("\"hr-apps\", \"Hash\": \"sha256:…\"", $"\"hr-apps\", \"Hash\": \"{Written.Hash}\"", StringComparison.Ordinal)
            .Replace("\"Hash\": \"sha256:…\"", "\"Key\": \"${KEY}\"", StringComparison.Ordinal);

        var options = Written.Read(json, out var warnings);

        Assert.That(warnings, Is.Empty);
        Assert.That(options.Listen.Api, Is.EqualTo("https://0.0.0.0:8443"));
        Assert.That(options.Listen.Certificate, Is.EqualTo("/run/secrets/tls.pem"));
        Assert.That(options.Contact, Is.EqualTo("platform@example.com"));
        Assert.That(options.Upstreams.Keys, Is.EqualTo(new[] { "openai", "azure-eu", "anthropic", "vllm-a", "vllm-b" }));
        Assert.That(options.Upstreams["azure-eu"].Kind, Is.EqualTo(UpstreamKind.AzureOpenAI));
        Assert.That(options.Upstreams["anthropic"].Kind, Is.EqualTo(UpstreamKind.Anthropic));
        Assert.That(options.Upstreams["anthropic"].Timeouts.FirstEvent, Is.EqualTo(TimeSpan.FromMinutes(3)));
        Assert.That(options.Upstreams["anthropic"].Timeouts.Idle, Is.EqualTo(TimeSpan.FromMinutes(5)), "the default stays");
        Assert.That(options.Upstreams["vllm-a"].Url, Is.EqualTo(new Uri("http://10.0.4.11:8000")));
        Assert.That((options.Upstreams["azure-eu"].Tags.Single(), options.Upstreams["vllm-b"].Concurrent), Is.EqualTo(("eu", 64)));
        Assert.That(options.Groups["hr-apps"].UpstreamTags, Is.EqualTo(new[] { "eu" }));
        var coder = options.Models["qwen-coder"];
        Assert.That(coder.Targets.Select(static t => (t.Upstream, t.Model)), Is.EqualTo(new[] { ("vllm-a", "Qwen/Qwen3-Coder-30B"), ("vllm-b", "Qwen/Qwen3-Coder-30B") }));
        Assert.That((coder.Balance, coder.Context), Is.EqualTo(((TargetBalance?)TargetBalance.Affinity, (int?)262144)));
        Assert.That(coder.Aliases, Is.EqualTo(new[] { "claude-qwen-coder" }));
        Assert.That(coder.Set["temperature"].GetRawText(), Is.EqualTo("0.2"));
        Assert.That(coder.Default["max_tokens"].GetRawText(), Is.EqualTo("4096"));
        Assert.That(coder.Remove, Is.EqualTo(new[] { "logit_bias" }));
        Assert.That(options.Groups["engineering"].Models, Is.EqualTo(new[] { "claude-*", "gpt-*", "qwen-coder" }));
        var (pool, each, users) = (options.Groups["engineering"].Budget!, options.Groups["engineering"].EachKey!, options.Groups["chat"].EndUser!);
        Assert.That((pool.Day, pool.Month, each.Budget!.Day, each.Budget.Month), Is.EqualTo(((decimal?)null, (decimal?)40000m, (decimal?)40m, (decimal?)400m)));
        Assert.That((each.RequestsPerMinute, each.Concurrent, options.Groups["hr-apps"].TokensPerMinute), Is.EqualTo(((int?)120, (int?)12, (long?)500000)));
        Assert.That((users.Header, users.Budget!.Month), Is.EqualTo(("X-OpenWebUI-User-Email", (decimal?)30m)));
        Assert.That(options.Keys["billing"].Hash, Is.EqualTo(Written.Hash));
        Assert.That((options.Keys["open-webui"].Group, options.Keys["open-webui"].Key), Is.EqualTo(("chat", Written.Canary)));
    }

    [Test]
    public void A_file_cut_off_anywhere_or_damaged_anywhere_is_refused_and_never_crashes()
    {
        // Steps without a common divisor with anything in the text: quick, and every kind of place is met.
        for (var i = 0; i < Company.Length; i += 7)
        {
            Assert.That(Written.Refused(Company[..i]), Is.Not.Empty, $"cut at {i}");
            Assert.That(Written.Refused(Company[..i] + "{" + Company[(i + 1)..]), Is.Not.Empty, $"damaged at {i}");
        }
    }

    [Test]
    public void Every_error_of_a_file_is_reported_at_once_and_in_its_order_with_warnings_between()
    {
        var e = Assert.Throws<LlmProxyConfigurationException>(() => Written.Read($$"""
            {
              "Upstreams": {
                "openai": { "Kind": "OpenAI", "ApiKey": "{{Written.Canary}}" },
                "azure-eu": { "Kind": "OpenAI" },
                "vllm-a": {
                  "Kind": "vLLM", "Url": "http://10.0.4.11:8000",
                  "Timeouts": {
                    "Idle": "300"
                  }
                }
              },
              "Models": {
                "gpt-5": [
                  "azure-ue/gpt5-prod",
                  "openai/gpt-5"
                ]
              }
            }
            """))!;

        Assert.That(e.Message.Split('\n'), Is.EqualTo(new[]
        {
            "test.json cannot be used:",
            "warn   line 3  Upstreams › openai › ApiKey: a secret stands in the file. Use \"${OPENAI_API_KEY}\".",
            "error  line 8  Upstreams › vllm-a › Timeouts › Idle: \"300\" needs a unit: \"300s\" or \"5m\".",
            "error  line 14  Models › gpt-5[0]: unknown upstream \"azure-ue\". Did you mean \"azure-eu\"?",
        }));
    }
}
