using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

[Category("EndToEnd")]
public class UpstreamHandlerTests : ProxyFixture
{
    [Test]
    public async Task An_app_s_handler_runs_in_the_pipeline_of_its_upstream_and_sees_no_logging_handler_around_it()
    {
        InProcessOnly("it adds a handler in code");
        Setup.Services = services =>
        {
            services.AddTransient<SignIn>();
            services.ConfigureUpstreamHttpClient("main", http => http.AddHttpMessageHandler<SignIn>());
        };
        Upstream.Next(Replies.Json(200, Chat.Completion("hi")));
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: false))).ReadAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(Upstream.Request.Headers["x-signed-in"], Is.EqualTo("yes"));
            Assert.That(Proxy.LogLines, Has.None.Contains("System.Net.Http.HttpClient"));
        }
    }

    private sealed class SignIn : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.TryAddWithoutValidation("x-signed-in", "yes");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
