using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What a record says of an answer's times, by a clock that only moves when told.</summary>
public sealed class ExchangeTimesTests : FailoverFixture
{
    private KeptRecords _records = null!;
    private FakeTimeProvider _clock = null!;

    [SetUp]
    public void StopTheClock()
    {
        InProcessOnly("the clock stands still");
        _clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        Setup.Options.Upstreams["spare"].Timeouts = Setup.Main.Timeouts;
        Setup.Services = services => services.AddSingleton<IRecordSink>(_records = new KeptRecords());
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Each_attempt_its_own_the_first_event_and_all_of_it(bool stream)
    {
        TaskCompletionSource failing = new(), speaking = new(), ending = new();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(failing.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        Spare.Next(async exchange =>
        {
            await exchange.PauseAsync(speaking.Task);
            await (stream ? Replies.StreamThen([Chat.Delta("Hel")], EndAsync) : Replies.Json(200, Chat.Completion("Hello")))(exchange);
        });
        async Task EndAsync(UpstreamExchange exchange)
        {
            await exchange.PauseAsync(ending.Task);
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }

        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream));
        await Upstream.WaitForAsync();
        Pass(3, failing);
        await Spare.WaitForAsync();
        Pass(2, speaking);
        RawResponse response = await client.ReadHeadAsync();
        if (stream)
        {
            await response.ReadUntilAsync("Hel");
            Pass(4, ending);
        }

        await response.ReadToEndAsync();
        await Deadline.Until(() => _records.All.Count > 0);
        ExchangeRecord record = _records.All.Single();
        Assert.That(record.Tried.Select(attempt => attempt.Duration.TotalSeconds), Is.EqualTo([3, 2]));
        Assert.That((record.FirstEvent, record.Duration), Is.EqualTo((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(stream ? 9 : 5))));
        AssertSeen(1, 1);
    }

    private void Pass(int seconds, TaskCompletionSource what)
    {
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        what.SetResult();
    }
}
