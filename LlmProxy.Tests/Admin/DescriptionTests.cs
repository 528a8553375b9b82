using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Admin;
using LlmProxy.Tests.Architecture;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Admin;

/// <summary>The description of the admin API for programs.</summary>
public sealed class DescriptionTests : ProxyFixture
{
    [Test]
    public async Task It_names_every_operation_and_no_other()
    {
        IReadOnlyList<AdminRoute>? routes = null;
        Setup.Pipeline = app =>
        {
            routes = app.Services.GetRequiredService<AdminRoutes>().All;
            app.UseLlmProxy();
        };
        await StartAsync();
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "LlmProxy.Core", "llmproxy.admin.openapi.json")));
        var described = from path in document.RootElement.GetProperty("paths").EnumerateObject()
                        from member in path.Value.EnumerateObject()
                        where member.Name != "parameters"
                        select member.Name.ToUpperInvariant() + " " + path.Name;
        Assert.That(described, Is.EquivalentTo(routes!.Select(r => $"{r.Method} {r.Path}")));
    }
}
