using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;
using UpstreamRequest = LlmProxy.Core.Forwarding.UpstreamRequest;

namespace LlmProxy.Tests.Forwarding;

/// <summary>What a request was sent as serves the next where nobody can hold it, and nothing of one request goes with another.</summary>
internal sealed class AttemptMessageTests
{
    private readonly LoopGuard _loops = new();
    private readonly RouteTable _routes = Asked.Routes("m", "n");
    private ScriptedUpstream _upstream = null!;
    private SocketsHttpHandler _sockets = null!;
    private ClockWheel _wheel = null!;
    private ExchangeClock _clock = null!;

    [SetUp]
    public void Begin()
    {
        Forget();
        _upstream = new ScriptedUpstream();
        _sockets = UpstreamHandlers.Create(new("u", new UpstreamOptions { Url = _upstream.Url }, []));
        _wheel = new ClockWheel(TimeProvider.System);
        _clock = new ExchangeClock(_wheel, CancellationToken.None);
    }

    [TearDown]
    public async Task EndAsync()
    {
        _clock.Dispose();
        _wheel.Dispose();
        _sockets.Dispose();
        await _upstream.DisposeAsync();
        Forget();
    }

    [TestCase("a longer body than that of the next request")]
    [TestCase("")]
    public void One_that_serves_again_is_as_a_new_one_would_be(string before)
    {
        ForwardRequest[] requests =
        [
            Ask(before),
            Ask("its client sends headers") with { Headers = new HeaderDictionary { ["OpenAI-Beta"] = "one" }, Seen = ClientHeaders.Passing },
            Ask("and others") with { Headers = new HeaderDictionary { ["User-Agent"] = "two", ["x-llmproxy-via"] = "abc" }, Seen = ClientHeaders.Passing | ClientHeaders.Via },
            Ask("it is traced") with { TraceParent = "00-1-2-01", TraceState = "a=b" },
            Ask("no more"),
            Asked.For("/embeddings", stream: false, json: """{"model":"m","input":"another operation"}""", routes: _routes) with { Seen = ClientHeaders.None },
            Ask("another route to the same upstream", "n"),
            Ask("again"),
        ];
        var expected = requests.Select(request => Describe(New(request))).ToArray();
        var first = New(requests[0]);
        foreach (var (request, fresh) in requests.Zip(expected))
        {
            var message = UpstreamRequest.Build(request, request.Selection.First, PartsOf(request), _loops);
            Assert.That(ReferenceEquals(message, first), Is.EqualTo(request != requests[0]), "it serves again");
            Assert.That(Describe(message), Is.EqualTo(fresh));
            first = message;
            message.GiveBack();
        }
    }

    [Test]
    public void Headers_of_one_target_stay_with_it_alone()
    {
        var one = Ask("hello");
        var message = New(one);
        Describe(message);
        message.GiveBack();

        // The same model's second target.
        var next = UpstreamRequest.Build(one, Another(one), PartsOf(one), _loops);
        Assert.That(next, Is.SameAs(message));
        Assert.That(next.Headers.Authorization!.Parameter, Is.EqualTo("another-key"));
        Describe(next);
        next.GiveBack();
        Assert.That(UpstreamRequest.Build(one, one.Selection.First, PartsOf(one), _loops).Headers.Authorization, Is.Null);
    }

    [Test]
    public void One_whose_body_was_not_all_sent_does_not_serve_again()
    {
        New(Ask("never sent")).GiveBack();
        Assert.That(AttemptMessage.Kept.Take(), Is.Null);
    }

    [Test]
    public async Task It_is_given_back_with_the_end_of_a_whole_answer_over_a_kept_connection()
    {
        Assert.That(await IsGivenBackAsync(), Is.False, "a connection was opened for it, and who opens it knows it");
        Assert.That(await IsGivenBackAsync(), Is.True);
        Assert.That(_upstream.Requests.Select(static r => r.Connection), Is.EqualTo(new[] { 0, 0 }));
    }

    [TestCase("another attempt may follow, or run beside it")]
    [TestCase("its connection was waited for")]
    [TestCase("a handler of the app's stands between")]
    [TestCase("the connections' handler was told to follow redirects")]
    [TestCase("the answer is decoded, and its end may not be that of what was sent")]
    [TestCase("the answer is an error")]
    [TestCase("the answer is no JSON")]
    public async Task It_is_not_where_somebody_may_hold_it_still(string why)
    {
        _sockets.AllowAutoRedirect = why.EndsWith("redirects", StringComparison.Ordinal);
        await IsGivenBackAsync();
        _upstream.Next(why switch
        {
            "the answer is decoded, and its end may not be that of what was sent" =>
                static exchange => exchange.AnswerAsync(200, "application/json", Compressed(Chat.Completion("hi")), ("Content-Encoding", "gzip")),
            "the answer is an error" => Replies.Json(500, Chat.Error("No.")),
            "the answer is no JSON" => Replies.Json(200, "{"),
            _ => Replies.LikeOpenAI,
        });
        var isGiven = await IsGivenBackAsync(
            mayFollow: why.StartsWith("another", StringComparison.Ordinal),
            hasHandler: why.StartsWith("a handler", StringComparison.Ordinal),
            hasWaited: why.StartsWith("its connection", StringComparison.Ordinal));
        Assert.That(isGiven, Is.False);
        Assert.That(_upstream.ConnectionCount, Is.EqualTo(1), "it is not the connection");
        Assert.That(await IsGivenBackAsync(), Is.EqualTo(!_sockets.AllowAutoRedirect), "the next is");
    }

    /// <summary>Who waits for a connection may have one opened for it, which knows the request, and be handed another.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task Only_a_connection_that_was_idle_is_known_to_be_the_only_one_for_it(bool isIdle)
    {
        using var stream = new MemoryStream();
        using var connection = new UpstreamConnection(stream);
        using var attempt = new Attempt(_clock, mayFollow: false);
        using var client = new HttpMessageInvoker(new Taking(connection, isIdle));
        using var message = new AttemptMessage();
        await attempt.SendAsync(client, message);
        Assert.That((attempt.WasSent, attempt.TookIdle), Is.EqualTo((true, isIdle)));
    }

    private async Task<bool> IsGivenBackAsync(bool mayFollow = false, bool hasHandler = false, bool hasWaited = false)
    {
        var request = Ask("hello");
        using var client = new UpstreamInvoker(hasHandler ? new Passing { InnerHandler = _sockets } : _sockets);
        using var attempt = new Attempt(_clock, mayFollow);
        var target = request.Selection.First;
        var message = New(request);
        message.RequestUri = new Uri(_upstream.Url + "/chat/completions");
        var reader = AnswerReader.For(request, target, new LimitOptions(), attempt, isLast: true, TimeProvider.System);
        var response = await attempt.SendAsync(client, message);
        if (hasWaited)
        {
            attempt.NoteSent(new UpstreamConnection(Stream.Null), wasUsedBefore: true, wasIdle: false);
        }

        var result = await reader.ReadAsync(response);
        reader.Close(result);
        result.Value?.Dispose();
        return response.RequestMessage is null;
    }

    private ForwardRequest Ask(string content, string model = "m") =>
        Asked.For("/chat/completions", stream: false, json: $$"""{"model":"{{model}}","messages":[{"role":"user","content":"{{content}}"}]}""", routes: _routes) with { Seen = ClientHeaders.None };

    private static Target Another(ForwardRequest request)
    {
        var options = request.Selection.First.Upstream.Options;
        return new(new("b", new UpstreamOptions { Url = options.Url, ApiKey = "another-key" }, EndpointTable.Rows), "up");
    }

    private static BodyPart[] PartsOf(ForwardRequest request) =>
        RequestSplice.TryPlan(request.Fields, request.Body.Length, request.Selection.First.ModelJsonFor(""), RequestEdits.None, out _)!;

    /// <summary>One of its own, whatever could serve again.</summary>
    private AttemptMessage New(ForwardRequest request)
    {
        Forget();
        return UpstreamRequest.Build(request, request.Selection.First, PartsOf(request), _loops);
    }

    private static void Forget() => AttemptMessage.Kept = default;

    /// <summary>All that would be sent.</summary>
    private static string Describe(AttemptMessage message)
    {
        using var body = new MemoryStream();
        message.Content!.CopyToAsync(body).GetAwaiter().GetResult();
        var length = message.Content.Headers.ContentLength;
        return $"{message.Method} {message.RequestUri} {message.Version} {message.VersionPolicy} {length}\n{message.Headers}{message.Content.Headers}\n"
            + Encoding.UTF8.GetString(body.ToArray());
    }

    private static byte[] Compressed(string text)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(bytes, System.IO.Compression.CompressionMode.Compress))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return bytes.ToArray();
    }

    private sealed class Passing : DelegatingHandler;

    /// <summary>Takes a connection as the HTTP client does: one that is idle is read ahead of the request.</summary>
    private sealed class Taking(UpstreamConnection connection, bool isIdle) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (isIdle)
            {
                _ = connection.ReadAsync(new byte[1], cancellationToken).AsTask();
            }

            connection.Write("GET"u8);
            return Task.FromResult(new HttpResponseMessage());
        }
    }
}
