using System.Net.Sockets;
using System.Text;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

internal sealed class EventRelayTests
{
    private static readonly string _start = Sse.Event(Chat.Role()) + Sse.Event(Chat.Delta("Hel"));

    [Test]
    public async Task What_clients_throw_on_is_cut_out_and_the_rest_passes_as_it_came()
    {
        const string More = ": c\nid: 1\nretry: 5\ndata: {\"x\":1}\n\nid: 2\n\ndata:\n\nevent: n\r\ndata\r\ndata: 1\r\n\r\n";
        using var relay = await MemoryRelay.RunAsync(Bytes("\uFEFF" + _start + More + Sse.Event(Chat.Finish()) + "id: 9\ndata: [DONE]\n\n"));
        Assert.That(relay.Body.Text, Is.EqualTo(_start + ": c\ndata: {\"x\":1}\n\nevent: n\r\ndata: 1\r\n\r\n" + Sse.Event(Chat.Finish()) + Sse.Done));
    }

    [Test]
    public async Task Only_whole_events_are_flushed_and_each_at_once()
    {
        using var relay = new MemoryRelay();
        var upstream = new FedStream(Bytes(_start)) { Ends = false };
        var running = relay.RunAsync(upstream);
        Assert.That(relay.Body.Text, Is.EqualTo(_start));
        var next = Sse.Event(Chat.Delta("lo"));
        upstream.Supply(Bytes(next[..^1]));
        Assert.That(relay.Body.Text, Is.EqualTo(_start));
        var flushes = relay.Body.Flushes;
        upstream.Supply(Bytes(next[^1..]));
        Assert.That((relay.Body.Text, relay.Body.Flushes), Is.EqualTo((_start + next, flushes + 1)));
        upstream.Supply(Bytes(Sse.Event(Chat.Finish()) + Sse.Done));
        Assert.That((await running).Error, Is.Null);
    }

    [TestCase("", "upstream_truncated", TestName = "{m}(nothing more)")]
    [TestCase("data: {\"half", "upstream_truncated", TestName = "{m}(within an event)")]
    [TestCase("data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n", "upstream_error", TestName = "{m}(an error, then DONE)")]
    [TestCase("event: error\ndata: x\n\n", "upstream_error", TestName = "{m}(an event named error)")]
    [TestCase("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"abort\"}]}\n\ndata: [DONE]\n\n", "upstream_error", TestName = "{m}(finish reason abort)")]
    public async Task A_broken_stream_says_so_after_its_last_whole_event_and_never_says_done(string rest, string code)
    {
        using var relay = await MemoryRelay.RunAsync(Bytes(_start + rest));
        Assert.That(relay.Completed!.Error!.Code, Is.EqualTo(code));
        Assert.That(relay.Body.Text, Does.StartWith(_start).And.Not.Contain("[DONE]").And.Not.Contain("half").And.EndsWith("}\n\n"));
        var last = SseReading.Read(relay.Body.Flushed).Events[^1];
        Contract.AssertErrorBody(last.Data, relay.Completed!.Error.Status, code);
    }

    [Test]
    public async Task A_connection_that_breaks_and_an_event_without_end_are_told_apart()
    {
        using var reset = new MemoryRelay();
        var broken = await reset.RunAsync(new FedStream(Bytes(_start)) { Breaks = new IOException("x", new SocketException((int)SocketError.ConnectionReset)) });
        Assert.That(broken.Error!.Code, Is.EqualTo("upstream_reset"));
        using var large = new MemoryRelay { LargestEvent = 10_000 };
        var outcome = await large.RunAsync(new FedStream(Bytes(_start), Bytes("data: " + new string('x', 20_000)), Bytes("\n\n" + Sse.Done)));
        Assert.That(outcome.Error!.Code, Is.EqualTo("event_too_large"));
    }

    [Test]
    public async Task Once_every_choice_has_finished_the_end_mark_is_ours_if_it_is_missing()
    {
        foreach (var rest in new[] { "", "data: {\"half", ": c\n\n" })
        {
            using var relay = await MemoryRelay.RunAsync(Bytes(_start + Sse.Event(Chat.Finish()) + rest));
            Assert.That(relay.Completed, Has.Property("Error").Null.And.Property("MissingDone").True);
            Assert.That(relay.Body.Text, Is.EqualTo(_start + Sse.Event(Chat.Finish()) + (rest.StartsWith(':') ? rest : "") + Sse.Done));
        }
    }

    [Test]
    public async Task Nothing_behind_the_end_mark_is_passed()
    {
        using var relay = await MemoryRelay.RunAsync(Bytes(_start + Sse.Event(Chat.Finish()) + Sse.Done + Sse.Event(Chat.Delta("more")) + Sse.Done));
        Assert.That(relay.Body.Text, Is.EqualTo(_start + Sse.Event(Chat.Finish()) + Sse.Done));
    }

    [Test]
    public async Task The_outcome_tells_what_was_relayed()
    {
        using var relay = await MemoryRelay.RunAsync(Bytes(_start + Sse.Event(Chat.Finish()) + Sse.Event(Chat.Usage()) + Sse.Done));
        var outcome = relay.Completed!;
        Assert.That((outcome.Events, outcome.Bytes, outcome.Usage.Output, outcome.MissingDone, outcome.DoneWithoutFinish), Is.EqualTo((3, relay.Body.Flushed.Length, 12L, false, false)));
        using var other = await MemoryRelay.RunAsync(Bytes(_start + Sse.Done));
        Assert.That(other.Completed, Has.Property("Error").Null.And.Property("DoneWithoutFinish").True);
    }

    [Test]
    public async Task A_heartbeat_goes_out_at_every_point_of_a_slow_event_and_changes_nothing_of_it()
    {
        var slow = Bytes(Sse.Event(Chat.Delta("é🦓 lo")));
        using var relay = new MemoryRelay { Heartbeat = TimeSpan.FromSeconds(1) };
        var upstream = new FedStream(Bytes(_start)) { Ends = false };
        var running = relay.RunAsync(upstream);
        for (var i = 0; i < slow.Length; i++)
        {
            upstream.Supply(slow.Slice(i, 1));
            var beats = relay.Body.Flushes;
            // The clock goes on until it beats: the byte may be taken only after the first step.
            await Deadline.Until(
                () =>
                {
                    relay.Time.Advance(TimeSpan.FromMilliseconds(100));
                    return relay.Body.Flushes > beats;
                },
                what: $"a heartbeat behind byte {i}");
            var text = relay.Body.Text;
            Assert.That(text, Does.EndWith(": keep-alive\n"));
            Assert.That(Contract.HeartbeatsRemoved(text), Is.EqualTo(_start + (i == slow.Length - 1 ? Encoding.UTF8.GetString(slow.Span) : "")));
        }

        upstream.Supply(Bytes(Sse.Event(Chat.Finish()) + Sse.Done));
        Assert.That((await Deadline.In(running)).Error, Is.Null);
        Assert.That(Contract.HeartbeatsRemoved(relay.Body.Text), Is.EqualTo(_start + Encoding.UTF8.GetString(slow.Span) + Sse.Event(Chat.Finish()) + Sse.Done));
    }

    [TestCase("Idle", "upstream_idle_timeout")]
    [TestCase("Total", "deadline_exceeded")]
    [TestCase("Shutdown", "server_shutting_down")]
    public async Task A_cut_off_stream_says_why(string reason, string code)
    {
        using var relay = new MemoryRelay();
        var upstream = new FedStream(Bytes(_start)) { Ends = false };
        var running = relay.RunAsync(upstream);
        relay.Clock.Cut(Enum.Parse<CutOff>(reason));
        upstream.Fail(new OperationCanceledException());
        var outcome = await Deadline.In(running);
        Assert.That(outcome.Error!.Code, Is.EqualTo(code));
        Assert.That(SseReading.Read(relay.Body.Flushed).Events[^1].Data, Does.Contain(code));
    }

    [TestCase("ClientGone", "client_disconnect")]
    [TestCase("StalledReader", "client_slow")]
    public async Task Nobody_is_told_where_nobody_reads(string reason, string code)
    {
        using var relay = new MemoryRelay();
        var upstream = new FedStream(Bytes(_start + Sse.Event(Chat.Finish()))) { Ends = false };
        var running = relay.RunAsync(upstream);
        var flushed = relay.Body.Text;
        relay.Clock.Cut(Enum.Parse<CutOff>(reason));
        upstream.Fail(new OperationCanceledException());
        var outcome = await Deadline.In(running);
        Assert.That((outcome.Error!.Code, outcome.MissingDone), Is.EqualTo((code, false)));
        Assert.That(relay.Body.Text, Is.EqualTo(flushed));
    }

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
