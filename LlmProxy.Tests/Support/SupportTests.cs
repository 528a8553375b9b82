using System.Text.Json.Nodes;
using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

[TestFixture]
public sealed class SupportTests
{
    [Test]
    public void A_record_reads_the_same_from_a_sink_and_from_a_JSON_line()
    {
        RecordView sink = RecordView.Of(new ExchangeRecord
        {
            Id = "01JD",
            Started = default,
            Duration = default,
            End = "upstream_reset",
            Blame = "upstream",
            UsageSource = "none",
            Status = 200,
            Attempts = 1,
            Streamed = true,
            OutputTokens = 3,
        });
        RecordView line = RecordView.Of(
            """{"id":"01JD","end":"upstream_reset","blame":"upstream","usage_source":"none","status":200,"attempts":1,"streamed":true,"output_tokens":3,"input_tokens":null}""")!;
        foreach (RecordView view in (RecordView[])[sink, line])
        {
            Assert.That(
                (view.Id, view.End, view.Blame, view.UsageSource, view.Status, view.Attempts, view.Streamed, view.OutputTokens, view.InputTokens, view.Caller),
                Is.EqualTo(("01JD", "upstream_reset", "upstream", "none", 200, 1, true, (long?)3, (long?)null, (string?)null)));
        }

        Assert.That(RecordView.Of("""{"Timestamp":"x","LogLevel":"Information"}"""), Is.Null);
    }

    [Test]
    public void The_configuration_file_says_what_the_options_say()
    {
        var setup = new ProxySetup(new Uri("http://127.0.0.1:9/v1"));
        setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(2);
        setup.Mini.Set["temperature"] = System.Text.Json.JsonSerializer.SerializeToElement(0.5);
        setup.Options.Limits.RequestBody = 1000;
        JsonNode file = JsonNode.Parse(ConfigurationFile.Write(setup.Options))!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That((string?)file["Upstreams"]!["main"]!["Timeouts"]!["Idle"], Is.EqualTo("2000ms"));
            Assert.That((string?)file["Upstreams"]!["main"]!["Url"], Is.EqualTo("http://127.0.0.1:9/v1"));
            Assert.That((string?)file["Models"]!["gpt-4o-mini"]!["Targets"]![0]!["Upstream"], Is.EqualTo("main"));
            Assert.That((double?)file["Models"]!["gpt-4o-mini"]!["Set"]!["temperature"], Is.EqualTo(0.5));
            Assert.That((string?)file["Keys"]!["tester"]!["Hash"], Does.StartWith("sha256:"));
            Assert.That((string?)file["Limits"]!["RequestBody"], Is.EqualTo("1000B"));
            Assert.That(file.ToJsonString(), Does.Not.Contain(Canary.ClientKey));
        }
    }

    [Test]
    public void A_canary_is_found_wherever_it_stands()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Canary.KeyIn(System.Text.Encoding.UTF8.GetBytes("x" + Canary.UpstreamKey + "y")), Is.EqualTo(Canary.UpstreamKey));
            Assert.That(Canary.KeyIn("nothing"u8), Is.Null);
            Assert.That(Canary.SecretIn("a " + Canary.Prompt), Is.EqualTo(Canary.Prompt));
        }
    }

    [Test]
    public void The_gauge_of_one_app_is_not_mixed_with_another_s()
    {
        using var one = new TestMeterFactory();
        using var two = new TestMeterFactory();
        using var active = new ActiveRequests(one);
        System.Diagnostics.Metrics.UpDownCounter<long> mine = one.Create(new("LlmProxy")).CreateUpDownCounter<long>(ActiveRequests.Name);
        System.Diagnostics.Metrics.UpDownCounter<long> foreign = two.Create(new("LlmProxy")).CreateUpDownCounter<long>(ActiveRequests.Name);
        mine.Add(2);
        mine.Add(-1);
        foreign.Add(5);
        Assert.That(active.IsPublished);
        Assert.That(active.Current, Is.EqualTo(1));
    }

    private sealed class TestMeterFactory : System.Diagnostics.Metrics.IMeterFactory
    {
        private readonly List<System.Diagnostics.Metrics.Meter> _meters = [];

        public System.Diagnostics.Metrics.Meter Create(System.Diagnostics.Metrics.MeterOptions options)
        {
            options.Scope = this;
            _meters.Add(new System.Diagnostics.Metrics.Meter(options));
            return _meters[^1];
        }

        public void Dispose() => _meters.ForEach(meter => meter.Dispose());
    }
}
