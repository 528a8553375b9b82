using System.Diagnostics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

// Listeners are the process's: what another test begins meanwhile would be heard here.
[NonParallelizable]
internal sealed class TracingTests
{
    private const string TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private Books _books = null!;

    [SetUp]
    public void Open() => _books = new Books();

    [TearDown]
    public async Task Close() => await _books.DisposeAsync();

    [Test]
    public void With_tracing_off_there_is_no_activity_and_nothing_goes_upstream()
    {
        Assert.That(_books.Accountant.IsTracing, Is.False);
        var exchange = _books.Accountant.Begin(null, TraceParent, "a=1");
        Assert.That(exchange.Activity, Is.Null);
        Assert.That(Accountant.UpstreamTrace(exchange), Is.EqualTo(default(TraceHeaders)));
    }

    [Test]
    public void The_clients_context_is_taken_in_and_passed_on_as_our_own_span()
    {
        using var listener = Listen(LlmProxyTelemetry.ActivitySourceName);
        var exchange = _books.Accountant.Begin(null, TraceParent, "a=1");
        var upstream = Accountant.UpstreamTrace(exchange);
        Assert.Multiple(() =>
        {
            Assert.That(_books.Accountant.IsTracing, Is.True);
            Assert.That(exchange.Activity!.ParentSpanId.ToHexString(), Is.EqualTo("b7ad6b7169203331"));
            Assert.That(upstream.Parent, Is.EqualTo($"00-0af7651916cd43dd8448eb211c80319c-{exchange.Activity.SpanId}-01"));
            Assert.That(upstream.State, Is.EqualTo("a=1"));
        });
        _books.Accountant.Complete(exchange);
        Assert.That(Activity.Current, Is.Null);
    }

    [Test]
    public void A_context_that_is_malformed_begins_a_trace_of_its_own()
    {
        using var listener = Listen(LlmProxyTelemetry.ActivitySourceName);
        var exchange = _books.Accountant.Begin(null, "00-canary", new string('x', 600));
        Assert.That(exchange.Activity!.Parent, Is.Null);
        Assert.That(Accountant.UpstreamTrace(exchange).Parent, Does.Not.Contain("canary"));
        Assert.That(Accountant.UpstreamTrace(exchange).State, Is.Null);
        _books.Accountant.Complete(exchange);
    }

    [Test]
    public void An_activity_of_hosting_that_is_exported_is_the_parent_and_one_that_is_not_is_left_out()
    {
        using var hosting = new ActivitySource("Test.Hosting");
        using var ours = Listen(LlmProxyTelemetry.ActivitySourceName);
        using (var unseen = new Activity("request").Start())
        {
            var exchange = _books.Accountant.Begin(null, TraceParent);
            Assert.That(exchange.Activity!.ParentSpanId.ToHexString(), Is.EqualTo("b7ad6b7169203331"));
            _books.Accountant.Complete(exchange);
        }

        using var theirs = Listen("Test.Hosting");
        using (var seen = hosting.StartActivity("request")!)
        {
            var exchange = _books.Accountant.Begin(null, TraceParent);
            Assert.That(exchange.Activity!.ParentSpanId, Is.EqualTo(seen.SpanId));
            _books.Accountant.Complete(exchange);
            Assert.That(Activity.Current, Is.SameAs(seen));
        }
    }

    [TestCase(Blame.Upstream, ActivityStatusCode.Error)]
    [TestCase(Blame.Client, ActivityStatusCode.Unset)]
    public void An_activity_ends_with_the_names_of_the_conventions_and_a_status_that_is_not_the_clients_fault(Blame blame, ActivityStatusCode status)
    {
        using var listener = Listen(LlmProxyTelemetry.ActivitySourceName);
        var exchange = _books.Accountant.Begin();
        (exchange.GenAiOperation, exchange.Model, exchange.Route, exchange.Status) = ("chat", "canary", "gpt-*", 502);
        (exchange.End, exchange.Blame, exchange.Usage) = ("upstream_timeout", blame, new Usage(5, -1, -1));
        _books.Accountant.Complete(exchange);

        var activity = exchange.Activity!;
        Assert.Multiple(() =>
        {
            Assert.That(activity.IsStopped, Is.True);
            Assert.That(activity.Kind, Is.EqualTo(ActivityKind.Client));
            Assert.That(activity.DisplayName, Is.EqualTo("chat gpt-*"));
            Assert.That(activity.Status, Is.EqualTo(status));
            Assert.That(activity.GetTagItem("error.type"), Is.EqualTo("upstream_timeout"));
            Assert.That(activity.GetTagItem("gen_ai.request.model"), Is.EqualTo("gpt-*"));
            Assert.That(activity.GetTagItem("gen_ai.usage.input_tokens"), Is.EqualTo(5L));
            Assert.That(activity.TagObjects.Select(tag => tag.Key), Has.None.EqualTo("gen_ai.usage.output_tokens"));
            Assert.That(activity.TagObjects.Select(tag => tag.Value), Has.None.EqualTo("canary"));
        });
    }

    private static ActivityListener Listen(string source)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = heard => heard.Name == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
