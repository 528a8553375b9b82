using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Faults of the app after the response has begun, or as it begins: it never ends as if it were whole, and nothing goes on.</summary>
public sealed class BegunResponseTests : ProxyFixture
{
    private FakeTimeProvider _clock = null!;
    private Task<long>? _closed;

    [SetUp]
    public void UseClock()
    {
        _clock = Setup.UseFakeClock();
        _closed = null;
        AllowErrorLogs("the app fails");
    }

    [Test]
    public async Task A_heartbeat_that_cannot_begin_the_response_ends_the_attempt()
    {
        Use(http =>
        {
            if (http.Request.Path == ChatPath)
            {
                http.Response.OnStarting(() => throw new InvalidOperationException("The app's."));
            }

            return http.Response.Body;
        });
        Upstream.Next(SilentAsync);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await AssertEndedAsync(client, began: false);
    }

    [TestCase(2, TestName = "{m}_the_second")]
    [TestCase(1, TestName = "{m}_the_first")]
    public async Task A_heartbeat_that_cannot_be_written_ends_the_attempt(int write)
    {
        Use(http => new FailingStream(http.Response.Body, write));
        Upstream.Next(SilentAsync);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await AssertEndedAsync(client, began: true);
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task An_event_that_cannot_be_written_ends_everything(int write)
    {
        Use(http => new FailingStream(http.Response.Body, write));
        Upstream.Next(async exchange =>
        {
            Volatile.Write(ref _closed, exchange.PeerClosed);
            await exchange.StreamHeadAsync();
            while (true)
            {
                await exchange.EventsAsync(Chat.Delta("Hi"));
                // A pace; how fast they come decides nothing.
                await exchange.PauseAsync(Task.Delay(20));
            }
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await AssertEndedAsync(client, began: true);
    }

    private async Task SilentAsync(UpstreamExchange exchange)
    {
        Volatile.Write(ref _closed, exchange.PeerClosed);
        await exchange.StallAsync();
    }

    private async Task AssertEndedAsync(RawClient client, bool began)
    {
        await Deadline.Until(() => Volatile.Read(ref _closed) is not null, what: "the request at the upstream");
        await _clock.AdvanceAsync(_closed!, TimeSpan.FromMinutes(5));
        Assert.That(_closed!.IsCompleted, "the request upstream is given up at once, long before any clock of its own");
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame), Is.EqualTo(("internal_error", "proxy")));
        try
        {
            RawResponse response = await client.ReadAsync();
            Assert.That(response.End == BodyEnd.Whole && response.Status == 200, Is.False, "it does not pass for a whole answer");
            Assert.That(response.Text, Does.Not.Contain("The app's."));
        }
        catch (IOException) when (began)
        {
            // Cut before its head: the other loud end.
        }
    }

    private void Use(Func<HttpContext, Stream> body) => Setup.Pipeline = app =>
    {
        app.Use((http, next) =>
        {
            http.Response.Body = body(http);
            return next(http);
        });
        app.UseLlmProxy();
    };

    /// <summary>A body of the app's that fails at a certain write.</summary>
    private sealed class FailingStream(Stream inner, int failing) : Stream
    {
        private int _writes;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (++_writes >= failing)
            {
                throw new InvalidOperationException("The app's.");
            }

            await inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
