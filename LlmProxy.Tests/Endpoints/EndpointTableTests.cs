using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.Endpoints;

internal sealed class EndpointTableTests
{
    [TestCase("POST", "/chat/completions", "chat")]
    [TestCase("POST", "/chat/completions/", "chat")]
    [TestCase("POST", "/completions", "text_completion")]
    [TestCase("POST", "/embeddings", "embeddings")]
    [TestCase("GET", "/models", "models")]
    [TestCase("GET", "/models/", "models")]
    [TestCase("HEAD", "/models", "models")]
    [TestCase("GET", "/models/a/b%2Fc", "models a/b%2Fc")]
    [TestCase("POST", "/messages", "chat")]
    [TestCase("POST", "/messages/count_tokens", "count_tokens")]
    [TestCase("POST", "/responses", "chat")]
    [TestCase("GET", "/responses/resp_1", "get_response resp_1")]
    [TestCase("DELETE", "/responses/resp_1", "delete_response resp_1")]
    [TestCase("POST", "/responses/resp_1/cancel", "cancel_response resp_1")]
    [TestCase("GET", "/responses/resp_1/input_items", "list_input_items resp_1")]
    [TestCase("PUT", "/responses/resp_1", "405 GET, DELETE")]
    [TestCase("HEAD", "/responses/resp_1", "405 GET, DELETE")]
    [TestCase("GET", "/responses/resp_1/other", "404")]
    [TestCase("GET", "/responses/a/b/input_items", "404")]
    [TestCase("GET", "/responses/", "405 POST")]
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
        var error = EndpointTable.Match(Request("POST", "/v1/v1/chat/completions"), "/v1/chat/completions").Error!;
        Assert.That((error.Status, error.Code), Is.EqualTo((404, "unknown_url")));
        Assert.That(error.Message, Does.Contain("without /v1"));
    }

    [Test]
    public void A_hostile_path_or_method_is_shown_harmlessly()
    {
        Assert.That(EndpointTable.Match(Request("GET", "/\u001b[31m\u202e" + new string('x', 9_000)), "/x").Error!.Message, Has.Length.LessThan(300).And.Not.Contain("\u001b"));
        Assert.That(EndpointTable.Match(Request(new string('X', 9_000), "/v1/models"), "/models").Error!.Message, Has.Length.LessThan(300));
    }

    [TestCase("POST", "/openai/deployments/gpt-5/chat/completions", "chat", "gpt-5")]
    [TestCase("POST", "/openai/deployments/gpt-5/completions", "text_completion", "gpt-5")]
    [TestCase("POST", "/openai/deployments/gpt-5/embeddings", "embeddings", "gpt-5")]
    [TestCase("POST", "/openai/deployments/Qwen%2FQwen3%2f30B/chat/completions", "chat", "Qwen/Qwen3/30B")]
    [TestCase("POST", "/openai/deployments/Qwen/Qwen3/chat/completions", "chat", "Qwen/Qwen3")]
    [TestCase("POST", "/openai/deployments/%41/chat/completions", "chat", "%41")]
    [TestCase("POST", "/openai/v1/chat/completions", "chat", null)]
    [TestCase("POST", "/openai/v1/responses", "chat", null)]
    [TestCase("POST", "/openai/responses", "chat", null)]
    [TestCase("GET", "/openai/v1/models", "models", null)]
    [TestCase("GET", "/openai/v1/responses/resp_1", "get_response resp_1", null)]
    [TestCase("GET", "/openai/deployments/gpt-5/chat/completions", "405 POST", null)]
    [TestCase("POST", "/openai/deployments/chat/completions", "text_completion", "chat")]
    [TestCase("POST", "/openai/deployments//chat/completions", "404", null)]
    [TestCase("POST", "/openai/deployments/gpt-5", "404", null)]
    [TestCase("POST", "/openai/deployments/gpt-5/", "404", null)]
    [TestCase("POST", "/openai/deployments/gpt-5/responses", "404", null)]
    [TestCase("GET", "/openai/deployments/gpt-5/models", "404", null)]
    [TestCase("POST", "/openai/v1/v1/chat/completions", "404", null)]
    [TestCase("POST", "/openai/openai/v1/chat/completions", "404", null)]
    [TestCase("POST", "/OpenAI/v1/chat/completions", "404", null)]
    [TestCase("POST", "/openai", "404", null)]
    [TestCase("POST", "/openaix/v1/chat/completions", "404", null)]
    public void What_Azures_clients_ask_for_is_found_with_the_model_that_its_path_names(string method, string path, string outcome, string? model)
    {
        Assert.That(Outcome(method, path), Is.EqualTo(outcome));
        Assert.That(EndpointTable.Match(Request(method, path), path).Model, Is.EqualTo(model));
    }

    [TestCase("/openai/v1/messages", "messages")]
    [TestCase("/openai/deployments/messages/chat/completions", "plain")]
    [TestCase("/v1/messages", "messages")]
    [TestCase("/messages/count_tokens", "messages")]
    [TestCase("/messages/x", "messages")]
    [TestCase("/messagesx", "plain")]
    [TestCase("/nowhere", "plain")]
    public void A_refusal_speaks_as_its_path_does(string path, string dialect) =>
        Assert.That(EndpointTable.DialectOf(Request("PUT", path), path), Is.SameAs(dialect == "messages" ? Dialect.Messages : Dialect.Plain));

    private static string Outcome(string method, string path)
    {
        var match = EndpointTable.Match(Request(method, "/v1" + path), path);
        return match.Error is { } error ? $"{error.Status} {error.Allow}".TrimEnd() : $"{match.Endpoint!.GenAiName} {match.Id}".TrimEnd();
    }

    private static HttpRequest Request(string method, string path)
    {
        var http = new DefaultHttpContext();
        http.Request.Method = method;
        http.Request.Path = path;
        return http.Request;
    }
}
