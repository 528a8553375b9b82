using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>What stands on standard error.</summary>
internal sealed class LogTests : HostTest
{
    [TestCase("Logging__LogLevel__Default", "Trace")]
    [TestCase("Logging__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics", "Information")]
    [TestCase("Logging__LlmProxy.Host.Logging.StandardErrorLog__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics", "Trace")]
    public async Task No_level_makes_it_write_query_strings(string variable, string level)
    {
        var host = await Start(Variables((variable, level)), "--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        await client.GetStringAsync("/v1/models?api-key=secret-in-a-query");
        Assert.That(await host.StoppedAsync(), Is.Zero);
        Assert.That(host.People, Does.Not.Contain("secret-in-a-query"));
    }
}
