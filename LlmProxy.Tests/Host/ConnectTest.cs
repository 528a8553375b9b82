using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Core.Authentication;

namespace LlmProxy.Tests.Host;

/// <summary>An instance with upstreams of several kinds, which nobody asks.</summary>
internal abstract class ConnectTest : HostTest
{
    protected const string CompanyKey = "sk-a-key-of-a-client-0123456789";
    protected const string LimitedKey = "sk-a-key-of-another-0123456789";

    protected static readonly string[] Clients = ["claude", "codex", "openwebui", "python", "node", "dotnet", "langchain"];

    /// <summary>Serves these models.</summary>
    /// <param name="models">Members of <c>Models</c>.</param>
    /// <param name="more">Members of the configuration, with a comma at the end.</param>
    protected async Task<HostProcess> StartAsync(string models, string more = "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },")
    {
        await WriteAsync("llmproxy.json", Written(models, more));
        return await Start().StartedAsync();
    }

    protected Task<HostProcess> StartCompanyAsync() => StartAsync(CompanyModels);

    protected static string Company(string more) => Written(CompanyModels, more);

    protected async Task WriteCertificateAsync(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await WriteAsync(name, made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private const string CompanyModels = """
        "a-local-one": "local/a", "claude-opus-4-7": "anthropic/o", "claude-small-haiku": "anthropic/h", "gpt-5": "openai/gpt-5"
        """;

    private static string Written(string models, string more) =>
        $$"""
        {
          {{more}}
          "Upstreams": {
            "openai": { "Kind": "OpenAI", "Url": "http://127.0.0.1:9/v1", "ApiKey": "sk-o-0123456789" },
            "anthropic": { "Kind": "Anthropic", "Url": "http://127.0.0.1:9", "ApiKey": "sk-a-0123456789" },
            "local": { "Url": "http://127.0.0.1:9/v1" },
          },
          "Models": { {{models}} },
          "Keys": {
            "company": { "Hash": "{{ApiKeys.Hash(CompanyKey)}}" },
            "limited": { "Hash": "{{ApiKeys.Hash(LimitedKey)}}", "Models": ["gpt-5"] },
          },
        }
        """;
}
