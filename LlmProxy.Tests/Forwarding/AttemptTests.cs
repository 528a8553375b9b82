using LlmProxy.Core.Forwarding;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

internal sealed class AttemptTests
{
    private ClockWheel _wheel = null!;
    private ExchangeClock _clock = null!;

    [SetUp]
    public void Start()
    {
        _wheel = new ClockWheel(TimeProvider.System);
        _clock = new ExchangeClock(_wheel, CancellationToken.None);
    }

    [TearDown]
    public void Stop()
    {
        _clock.Dispose();
        _wheel.Dispose();
    }

    [Test]
    public async Task A_copy_of_a_request_that_a_handler_of_the_apps_sends_is_of_the_same_attempt()
    {
        using var end = new Recorder();
        using var copies = new Copying { InnerHandler = end };
        using var client = new UpstreamInvoker(copies);
        using var attempt = new Attempt(_clock, mayFollow: false);
        using var message = new AttemptMessage { RequestUri = new Uri("http://upstream.test") };
        await attempt.SendAsync(client, message);
        Assert.That((Attempt.Of(message), Attempt.Of(end.Sent!)), Is.EqualTo((attempt, attempt)));
        Assert.That((client.IsPlain, end.Sent), Is.EqualTo((false, end.Sent)).And.Not.EqualTo((false, message)));
    }

    [Test]
    public void Without_handlers_of_the_apps_the_request_carries_it_alone()
    {
        using var sockets = new SocketsHttpHandler();
        using var client = new UpstreamInvoker(new Copying { InnerHandler = sockets });
        using var bare = new UpstreamInvoker(sockets);
        using var message = new AttemptMessage { RequestUri = new Uri("http://127.0.0.1:1") };
        using var attempt = new Attempt(_clock, mayFollow: false);
        _clock.Cut(CutOff.ClientGone);
        _ = attempt.SendAsync(bare, message);
        Assert.That((client.IsPlain, bare.IsPlain, message.Options.Count()), Is.EqualTo((false, true, 0)));
        Assert.That(Attempt.Of(message), Is.Not.Null);
    }

    /// <summary>Who may look at a token later keeps its clock from the next exchange.</summary>
    [TestCase(false, 1, true)]
    [TestCase(false, 2, false)]
    [TestCase(true, 1, false)]
    public void Its_clock_serves_again_after_the_http_clients_own_first_version_and_nobody_else(bool hasHandler, int version, bool servesAgain)
    {
        using var sockets = new SocketsHttpHandler { ConnectCallback = static (_, _) => throw new IOException("nobody is there") };
        using var client = new UpstreamInvoker(hasHandler ? new Copying { InnerHandler = sockets } : sockets);
        using var message = new AttemptMessage { RequestUri = new Uri("http://127.0.0.1:1"), Version = new Version(version, version == 1 ? 1 : 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var clock = _wheel.Begin(CancellationToken.None, default);
        using (var attempt = new Attempt(clock, mayFollow: false))
        {
            Assert.That(async () => await attempt.SendAsync(client, message), Throws.InstanceOf<Exception>());
            Assert.That(clock.Reason, Is.EqualTo(CutOff.None));
        }

        clock.Dispose();
        using var next = _wheel.Begin(CancellationToken.None, default);
        Assert.That(ReferenceEquals(next, clock), Is.EqualTo(servesAgain));
    }

    private sealed class Copying : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var copy = new HttpRequestMessage(request.Method, request.RequestUri);
            foreach (var (key, value) in request.Options)
            {
                ((IDictionary<string, object?>)copy.Options)[key] = value;
            }

            return base.SendAsync(copy, cancellationToken);
        }
    }

    private sealed class Recorder : HttpMessageHandler
    {
        public HttpRequestMessage? Sent { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sent = request;
            return Task.FromResult(new HttpResponseMessage());
        }
    }
}
