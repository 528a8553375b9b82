using System.IO.Pipelines;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Relaying;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

internal sealed class StalledReaderTests
{
    [Test]
    public async Task A_stalled_reader_is_cut_without_its_request_whose_end_may_come_first()
    {
        var time = new FakeTimeProvider();
        using var wheel = new ClockWheel(time);
        using var clock = new ExchangeClock(wheel, CancellationToken.None);
        var lifetime = new Lifetime();
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpRequestLifetimeFeature>(lifetime);
        clock.WatchReader(TimeSpan.FromSeconds(1));
        var write = new TaskCompletionSource<FlushResult>();
        var waiting = StalledReader.WaitAsync(http, clock, new ValueTask<FlushResult>(write.Task));

        // What the server does when a request is over; an exception on the wheel's thread would end the process.
        http.Uninitialize();
        time.Advance(TimeSpan.FromSeconds(2));

        Assert.That((clock.Reason, lifetime.IsAborted), Is.EqualTo((CutOff.StalledReader, true)));
        write.SetResult(default);
        await waiting;
    }

    private sealed class Lifetime : IHttpRequestLifetimeFeature
    {
        public bool IsAborted { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => IsAborted = true;
    }
}
