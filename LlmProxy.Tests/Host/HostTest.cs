using System.Text;
using NUnit.Framework;
using NUnit.Framework.Interfaces;

namespace LlmProxy.Tests.Host;

/// <summary>A folder of its own for each test of the executable, and the processes that it started, ended with it.</summary>
internal abstract class HostTest
{
    private readonly List<HostProcess> _started = [];

    protected string Folder { get; private set; } = "";

    [SetUp]
    public void MakeFolder() => Folder = Directory.CreateTempSubdirectory("llmproxy-test-").FullName;

    [TearDown]
    public async Task EndProcessesAsync()
    {
        foreach (var process in _started)
        {
            if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            {
                // The end is enough: a record for each of thousands of requests would hide what failed.
                await TestContext.Out.WriteLineAsync(End(process.People) + End(process.Results));
            }

            await process.DisposeAsync();
        }

        _started.Clear();
        Directory.Delete(Folder, recursive: true);
    }

    private static string End(string text) => text.Length <= 8000 ? text : "…" + text[^8000..];

    protected static Dictionary<string, string> Variables(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(static variable => variable.Name, static variable => variable.Value);

    protected HostProcess Start(IReadOnlyDictionary<string, string>? variables, params string[] arguments) =>
        Keep(HostProcess.Start(Folder, variables, arguments));

    protected HostProcess Start(params string[] arguments) => Start(variables: null, arguments);

    protected HostProcess Keep(HostProcess process)
    {
        _started.Add(process);
        return process;
    }

    /// <summary>Runs a command to its end.</summary>
    protected async Task<(int Code, string Results, string People)> RunAsync(IReadOnlyDictionary<string, string>? variables, params string[] arguments)
    {
        var process = Start(variables, arguments);
        var code = await process.ExitedAsync();
        return (code, process.Results, process.People);
    }

    protected async Task<string> WriteAsync(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(path, text);
        return path;
    }

    /// <summary>A configuration with one upstream, and one key named <c>anna</c>.</summary>
    protected static string Configuration(string upstream, string key, string listen = "") =>
        $$"""
        {
          {{listen}}
          "Upstreams": { "tiny": { "Url": "{{upstream}}" } },
          "Models": { "small": "tiny/tiny-1", },   // a comment, and trailing commas
          "Keys": { "anna": { "Hash": "{{LlmProxy.Core.Authentication.ApiKeys.Hash(key)}}" } },
        }
        """;

    protected static async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string json) =>
        await client.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"));
}
