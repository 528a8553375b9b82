using System.Text;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What is not an operation of ours never becomes a request of an upstream.</summary>
public sealed class PathAndMethodTests : ProxyFixture
{
    public static IEnumerable<TestCaseData> UnknownPaths()
    {
        yield return Row("an_unknown_operation", "/v1/nothing");
        yield return Row("the_prefix_alone", "/v1");
        yield return Row("dots_inside_the_prefix", "/v1/chat/completions/../../nothing");
        yield return Row("encoded_dots_inside_the_prefix", "/v1/chat/%2e%2e/completionz");
        yield return Row("an_encoded_slash", "/v1/chat%2fcompletions");
        yield return Row("an_encoded_slash_after_dots", "/v1/..%2fchat/completions");
        yield return Row("doubly_encoded_dots", "/v1/%252e%252e/chat/completions");
        yield return Row("a_double_slash", "/v1//chat/completions");
        yield return Row("a_backslash", "/v1/chat\\completions");
        yield return Row("an_encoded_backslash", "/v1/chat%5ccompletions");
        yield return Row("a_semicolon", "/v1/chat;x=1/completions");
        yield return Row("something_after_the_operation", "/v1/chat/completions/x");
        yield return Row("an_encoded_line_end", "/v1/chat/completions%0d%0aX-Injected:%201");
        yield return Row("the_prefix_twice", "/v1/v1/chat/completions");
    }

    public static IEnumerable<TestCaseData> StrangePaths()
    {
        yield return Row("a_NUL", "/v1/chat/completions%00");
        yield return Row("overlong_UTF8", "/v1/chat%c0%afcompletions");
        yield return Row("another_host_after_two_slashes", "//evil.example/v1/chat/completions");
        yield return Row("dots_that_leave_the_prefix", "/v1/../admin");
        yield return Row("encoded_dots_that_leave_the_prefix", "/v1/%2e%2e/admin");
        yield return Row("an_absolute_form_for_another_host", "http://evil.example/v1/nothing");
    }

    public static IEnumerable<TestCaseData> WrongMethods()
    {
        foreach (string method in (string[])["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW", "post"])
        {
            yield return new TestCaseData(method, ChatPath, "POST").SetName($"C42_{method}_where_POST_is_due_is_a_405").SetCategory("C42");
        }

        yield return new TestCaseData("POST", "/v1/models", "GET").SetName("C42_POST_where_GET_is_due_is_a_405").SetCategory("C42");
    }

    [TestCaseSource(nameof(UnknownPaths))]
    public async Task IsUnknown(string path)
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), path);
        Contract.AssertError(response, 404, "unknown_url");
        ExpectUpstreamRequests(0);
    }

    [TestCaseSource(nameof(StrangePaths))]
    public async Task IsRefused(string path)
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), path);
        Assert.That(response.Status, Is.AnyOf(400, 404));
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("C41")]
    public async Task C41_the_prefix_twice_is_told_how_to_set_the_base_address()
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), "/v1/v1/chat/completions");
        Assert.That(Contract.AssertError(response, 404, "unknown_url")["message"]!.ToString(), Does.Contain("/v1"));
    }

    [TestCaseSource(nameof(WrongMethods))]
    public async Task IsNotAllowed(string method, string path, string allowed)
    {
        await StartAsync();
        byte[] body = method is "POST" or "PUT" or "PATCH" ? Encoding.UTF8.GetBytes(Chat.Request()) : [];
        RawResponse response = await (await SendAsync(RawClient.Request(method, path, body, Authorization, "Content-Type: application/json"))).ReadAsync();
        Contract.AssertError(response, 405, code: null);
        Assert.That(response.Headers["Allow"], Does.Contain(allowed));
        ExpectUpstreamRequests(0);
    }

    [TestCase("CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", TestName = "C42_CONNECT_goes_nowhere", Category = "C42")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", TestName = "C42_OPTIONS_of_everything_goes_nowhere", Category = "C42")]
    public async Task GoesNowhere(string request)
    {
        await StartAsync();
        RawResponse response = await (await SendAsync(Encoding.ASCII.GetBytes(request))).ReadAsync();
        Assert.That(response.Status, Is.InRange(400, 499));
        ExpectUpstreamRequests(0);
    }

    [TestCase("/v1/models", TestName = "S03_the_plain_path_needs_a_key", Category = "S03")]
    [TestCase("/V1/models", TestName = "S03_upper_case_needs_a_key", Category = "S03")]
    [TestCase("/v1/MODELS", TestName = "S03_an_upper_case_operation_needs_a_key", Category = "S03")]
    [TestCase("/v1/x/../models", TestName = "S03_dots_need_a_key", Category = "S03")]
    [TestCase("/v1/%6dodels", TestName = "S03_an_encoded_letter_needs_a_key", Category = "S03")]
    [TestCase("/v1/models/", TestName = "S03_a_trailing_slash_needs_a_key", Category = "S03")]
    [TestCase("/v1/models?api_key=" + Canary.ClientKey, TestName = "S03_a_query_needs_a_key", Category = "S03")]
    [TestCase("/v1/nothing", TestName = "S03_an_unknown_path_tells_nothing_without_a_key", Category = "S03")]
    public async Task NeedsKey(string path)
    {
        await StartAsync();
        foreach (string trick in (string[])["X-Plain: 1", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-Forwarded-Prefix: /healthz", "X-Forwarded-Host: localhost"])
        {
            RawResponse response = await (await SendAsync(RawClient.Request("GET", path, [], trick))).ReadAsync();
            Assert.That(response.Status, Is.AnyOf(401, 404), $"{path} with {trick}");
            Assert.That(response.Text, Does.Not.Contain("gpt-4o-mini"), "no model is revealed");
            if (path.StartsWith("/v1", StringComparison.Ordinal))
            {
                Contract.AssertErrorBody(response.Text, response.Status, code: null);
            }
        }
    }

    [Test]
    [Category("S03")]
    public async Task S03_what_leaves_the_prefix_reaches_the_app_s_own_pages_and_no_operation()
    {
        Setup.Pipeline = app =>
        {
            Core.LlmProxyApplicationBuilderExtensions.UseLlmProxy(app);
            app.Run(context => context.Response.WriteAsync("own page " + context.Request.Path));
        };
        await StartAsync();
        foreach ((string path, string page) in ((string, string)[])
            [("/v1/../admin", "/admin"), ("/v1/%2e%2e/admin", "/admin"), ("/v10/models", "/v10/models"), ("/", "/"), ("/models", "/models")])
        {
            RawResponse response = await GetAsync(path);
            Assert.That((response.Status, response.Text), Is.EqualTo((200, "own page " + page)), path);
        }
    }

    [Test]
    public async Task A_query_is_not_passed_on()
    {
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(), ChatPath + "?api-version=1&x=http://evil.example")).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Target, Is.EqualTo(ChatPath));
    }

    [Test]
    public async Task Another_prefix_serves_the_same_operations()
    {
        Setup.Prefix = "/ai/v1";
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(), "/ai/v1/chat/completions")).Status, Is.EqualTo(200));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(404), "the default prefix is then the app's");
        Assert.That(Upstream.Request.Target, Is.EqualTo(ChatPath));
    }

    private static TestCaseData Row(string what, string path) =>
        new TestCaseData(path).SetName($"C41_{what}_goes_to_no_upstream").SetCategory("C41");
}
