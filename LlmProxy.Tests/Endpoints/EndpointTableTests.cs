using LlmProxy.Core.Endpoints;
using NUnit.Framework;

namespace LlmProxy.Tests.Endpoints;

internal sealed class EndpointTableTests
{
    [TestCase("POST", "/chat/completions", "chat")]
    [TestCase("POST", "/chat/completions/", "chat")]
    [TestCase("POST", "/completions", "completions")]
    [TestCase("POST", "/embeddings", "embeddings")]
    [TestCase("GET", "/models", "models")]
    [TestCase("GET", "/models/", "models")]
    [TestCase("HEAD", "/models", "models")]
    [TestCase("GET", "/models/a/b%2Fc", "models a/b%2Fc")]
    [TestCase("GET", "/chat/completions", "405 POST")]
    [TestCase("HEAD", "/chat/completions", "405 POST")]
    [TestCase("POST", "/models", "405 GET")]
    [TestCase("POST", "/models/x", "405 GET")]
    [TestCase("post", "/chat/completions", "405 POST")]
    [TestCase("TRACE", "/chat/completions", "405 POST")]
    [TestCase("CONNECT", "", "405 POST")]
    [TestCase("OPTIONS", "*", "405 POST")]
    [TestCase("POST", "/chat/completions//", "404")]
    [TestCase("POST", "//chat/completions", "404")]
    [TestCase("POST", "/Chat/Completions", "404")]
    [TestCase("POST", "/chat/completions.", "404")]
    [TestCase("POST", "/chat/completions;x", "404")]
    [TestCase("POST", "/chat/completionsx", "404")]
    [TestCase("POST", "/chat", "404")]
    [TestCase("POST", "", "404")]
    [TestCase("POST", "/", "404")]
    public void There_is_one_way_to_write_each_operation(string method, string path, string expected) => Assert.That(Outcome(method, path), Is.EqualTo(expected));

    [Test]
    public void A_doubled_version_is_told()
    {
        var error = EndpointTable.Match("POST", "/v1/chat/completions", "/v1/v1/chat/completions").Error!;
        Assert.That((error.Status, error.Code), Is.EqualTo((404, "unknown_url")));
        Assert.That(error.Message, Does.Contain("without /v1"));
    }

    [Test]
    public void A_hostile_path_or_method_is_shown_harmlessly()
    {
        Assert.That(EndpointTable.Match("GET", "/x", "/\u001b[31m\u202e" + new string('x', 9_000)).Error!.Message, Has.Length.LessThan(300).And.Not.Contain("\u001b"));
        Assert.That(EndpointTable.Match(new string('X', 9_000), "/models", "/v1/models").Error!.Message, Has.Length.LessThan(300));
    }

    private static string Outcome(string method, string path) =>
        EndpointTable.Match(method, path, "/v1" + path).TryGet(out var match, out var error)
            ? $"{match.Endpoint.Name} {match.Rest}".TrimEnd()
            : $"{error.Status} {error.Allow}".TrimEnd();
}
