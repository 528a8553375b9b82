using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>As a library: the app around it stays as it was.</summary>
public sealed class HostAppTests : ProxyFixture
{
    private int _handled;

    [SetUp]
    public void Reset() => _handled = 0;

    [TestCase(false)]
    [TestCase(true)]
    public async Task The_app_s_own_pages_errors_and_compression_are_untouched(bool mapped)
    {
        UseHostApp(mapped);
        await StartAsync();
        RawResponse models = await GetAsync("/models", "Accept-Encoding: gzip");
        RawResponse fails = await GetAsync("/fails");
        RawResponse stream = await PostAsync(Chat.Request(stream: true));
        using (Assert.EnterMultipleScope())
        {
            Assert.That((models.Status, models.Headers["Content-Encoding"]), Is.EqualTo((200, "gzip")));
            Assert.That(models.Headers.Names(), Has.None.StartsWith("x-llmproxy").And.None.EqualTo("x-request-id"));
            Assert.That((fails.Status, fails.Text), Is.EqualTo((500, "the app's own error page")));
            Assert.That(_handled, Is.EqualTo(1));
            Assert.That((await GetAsync("/none")).Status, Is.EqualTo(404));
            Assert.That((await GetAsync("/none")).Text, Is.Empty, "an unknown page is the app's");
        }

        Contract.AssertWhole(stream, Sse.Whole(Chat.Words("Hello", " there")));
        AllowErrorLogs("the app's own page fails on purpose");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_broken_stream_reaches_neither_the_app_s_error_handler_nor_its_error_log(bool mapped)
    {
        UseHostApp(mapped);
        Upstream.Otherwise(Replies.StreamThen([Chat.Delta("Hel")], exchange => exchange.LastChunkAsync()));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true)), "upstream_truncated");
        Assert.That(_handled, Is.Zero);
        Assert.That((await GetAsync("/models")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Where_the_app_compresses_streams_a_whole_one_is_whole_and_a_broken_one_does_not_end_clean()
    {
        UseHostApp(mapped: false);
        Setup.Services += services => services.Configure<ResponseCompressionOptions>(options => options.MimeTypes = ["text/event-stream"]);
        Upstream.Next(Replies.Stream(Chat.Words("Hi")));
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], exchange => exchange.LastChunkAsync()));
        await StartAsync();
        RawResponse whole = await PostAsync(Chat.Request(stream: true), ChatPath, "Accept-Encoding: gzip");
        RawResponse broken = await PostAsync(Chat.Request(stream: true), ChatPath, "Accept-Encoding: gzip");
        using (Assert.EnterMultipleScope())
        {
            Assert.That((whole.End, whole.Headers["Content-Encoding"]), Is.EqualTo((BodyEnd.Whole, "gzip")));
            Assert.That(Unzip(whole), Is.EqualTo(Sse.Whole(Chat.Words("Hi"))));
            Assert.That(broken.End, Is.Not.EqualTo(BodyEnd.Whole));
        }

        AllowErrorLogs("with a wrapped body the only way to end unterminated is an exception");
    }

    [Test]
    public async Task Mapped_endpoints_take_the_app_s_authorization_and_answer_in_our_words()
    {
        UseAuthentication(mapped: true);
        Setup.Options.Keys.Clear();
        Setup.Options.HostIdentity = new HostIdentityOptions { IdClaim = ClaimTypes.Name };
        await StartAsync();
        RawResponse anonymous = await AskAsync("/v1/chat/completions", "X-None: 1");
        RawResponse stranger = await AskAsync("/v1/chat/completions", "X-Test-User: stranger");
        RawResponse friend = await AskAsync("/v1/chat/completions", "X-Test-User: friend");
        RawResponse messages = await AskAsync(MessageEvents.Path, "X-None: 1");
        await Deadline.Until(() => Proxy.Records.Count == 4, what: "a record of each, the app's own refusals included");
        using (Assert.EnterMultipleScope())
        {
            Assert.That((anonymous.Status, stranger.Status, friend.Status), Is.EqualTo((401, 403, 200)));
            Contract.AssertErrorBody(anonymous.Text, 401, code: null);
            Contract.AssertErrorBody(stranger.Text, 403, code: null);
            Assert.That((messages.Status, (string?)messages.Json["error"]!["type"]), Is.EqualTo((401, "authentication_error")), "each client in its own dialect");
            Assert.That(Proxy.Records.Single(r => r.Status == 200).Caller, Is.EqualTo("friend"));
        }

        RawResponse page = await AskAsync("/private", "X-None: 1");
        Assert.That((page.Status, page.Text), Is.EqualTo((401, "")), "the app's own endpoints keep ASP.NET's empty answer");
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task Two_apps_in_one_process_do_not_mix()
    {
        InProcessOnly("it starts two apps");
        await StartAsync();
        ScriptedUpstream otherUpstream = NewUpstream();
        otherUpstream.Otherwise(Replies.Json(200, Chat.Completion("from the other")));
        var otherSetup = new ProxySetup(otherUpstream.Url);
        await using (InProcessProxy other = await InProcessProxy.StartAsync(otherSetup))
        {
            await using RawClient client = await RawClient.ConnectAsync(((IProxyUnderTest)other).EndPoint);
            await client.SendAsync(RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), Authorization, "Content-Type: application/json"));
            Assert.That((await client.ReadAsync()).Text, Is.EqualTo(Chat.Completion("from the other")));
        }

        await Deadline.Until(() => otherUpstream.OpenConnections == 0, TimeSpan.FromSeconds(2), "an app that has ended closes its connections to upstreams");

        Assert.That((await PostAsync(Chat.Request())).Text, Is.EqualTo(Chat.Completion("Hello there")), "the first goes on when the second has ended");
        ExpectUpstreamRequests(2);
    }

    [Test]
    public async Task An_app_without_keys_identity_or_leave_for_anonymous_callers_does_not_start()
    {
        InProcessOnly("the executable's start is tested on its own");
        Setup.Options.Keys.Clear();
        Assert.That(async () => await StartAsync(), Throws.InstanceOf<LlmProxyConfigurationException>());
        await Task.CompletedTask;
    }

    private void UseHostApp(bool mapped)
    {
        Setup.Services += services => services.AddResponseCompression().AddRouting();
        Setup.Pipeline = app =>
        {
            app.UseExceptionHandler(errors => errors.Run(context =>
            {
                Interlocked.Increment(ref _handled);
                return context.Response.WriteAsync("the app's own error page");
            }));
            app.UseResponseCompression();
            app.MapGet("/models", () => Results.Text(new string('m', 1000), "text/plain"));
            app.MapGet("/fails", () => { throw new InvalidOperationException("on purpose"); });
            if (mapped)
            {
                app.MapLlmProxy();
            }
            else
            {
                app.UseLlmProxy();
            }
        };
    }

    private void UseAuthentication(bool mapped)
    {
        Setup.Services += services =>
        {
            services.AddAuthentication("Test").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("Test", null);
            services.AddAuthorizationBuilder().AddPolicy("friends", policy => policy.RequireUserName("friend"));
        };
        Setup.Pipeline = app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.MapGet("/private", () => "secret").RequireAuthorization("friends");
            if (mapped)
            {
                app.MapLlmProxy().RequireAuthorization("friends");
            }
        };
    }

    private async Task<RawResponse> AskAsync(string path, string field) => await (await SendAsync(RawClient.Request(
        path == "/private" ? "GET" : "POST", path, path == "/private" ? [] : Encoding.UTF8.GetBytes(Chat.Request()), field, "Content-Type: application/json"))).ReadAsync();

    private static string Unzip(RawResponse response)
    {
        using var zip = new System.IO.Compression.GZipStream(new MemoryStream(response.Body.ToArray()), System.IO.Compression.CompressionMode.Decompress);
        return new StreamReader(zip).ReadToEnd();
    }

    /// <summary>Takes the user from a header, as a host app's own scheme would from a cookie or token.</summary>
    private sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-Test-User"] is not [{ } user])
            {
                return Task.FromResult(AuthenticateResult.NoResult());
            }

            var principal = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "Test"));
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(principal, "Test")));
        }
    }
}
