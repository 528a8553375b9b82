using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class ValueTests
{
    [TestCase("\"300ms\"", 300)]
    [TestCase("\"30s\"", 30_000)]
    [TestCase("\"5m\"", 300_000)]
    [TestCase("\"1h\"", 3_600_000)]
    [TestCase("\"0s\"", 0)]
    [TestCase("0", 0)]
    public void A_duration_is_a_whole_number_and_a_unit(string written, int milliseconds)
    {
        var options = Written.Read(Written.Upstream($$"""  "Kind": "OpenAI", "Timeouts": { "Idle": {{written}} } """));
        Assert.That(options.Upstreams["a"].Timeouts.Idle, Is.EqualTo(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [TestCase("\"300\"", "\"300\" needs a unit: \"300s\" or \"5m\".")]
    [TestCase("300", "300 needs a unit: \"300s\" or \"5m\".")]
    [TestCase("\"45\"", "\"45\" needs a unit: \"45s\" or \"45ms\".")]
    public void A_duration_without_a_unit_is_refused_and_told_how_to_write_it(string written, string problem)
    {
        Assert.That(Clock(written), Is.EqualTo(new[] { "error  line 2  Upstreams › a › Timeouts › Idle: " + problem }));
    }

    [TestCase("\"30 S\"", "\"30 S\" is not a duration: write \"30s\". Units are ms, s, m, h.")]
    [TestCase("\"5min\"", "\"5min\" is not a duration: write \"5m\". Units are ms, s, m, h.")]
    [TestCase("\"00:05:00\"", "\"00:05:00\" is not a duration: write \"300ms\", \"30s\", \"5m\" or \"1h\". Units are ms, s, m, h.")]
    [TestCase("\"1.5h\"", "\"1.5h\" is not a duration: write \"300ms\", \"30s\", \"5m\" or \"1h\". Units are ms, s, m, h.")]
    [TestCase("\"-5s\"", "\"-5s\" is not a duration: write \"300ms\", \"30s\", \"5m\" or \"1h\". Units are ms, s, m, h.")]
    [TestCase("\"\"", "\"\" is not a duration: write \"300ms\", \"30s\", \"5m\" or \"1h\". Units are ms, s, m, h.")]
    [TestCase("\"99999999999999h\"", "\"99999999999999h\" is too large.")]
    [TestCase("\"25h\"", "is out of range: 1ms to 24h, or 0s to switch it off.")]
    [TestCase("true", "needs a duration, not true.")]
    [TestCase("null", "null is no value here: leave the member out, or write a duration.")]
    [TestCase("\"${SECRET_NUMBER}\"", "\"${SECRET_NUMBER}\" needs a unit: \"300ms\", \"30s\", \"5m\" or \"1h\".")]
    public void A_duration_that_is_none_is_refused(string written, string problem)
    {
        Assert.That(Clock(written), Is.EqualTo(new[] { "error  line 2  Upstreams › a › Timeouts › Idle: " + problem }));
    }

    [Test]
    public void Sizes_are_in_bytes_and_powers_of_1024()
    {
        var limits = Written.Read(Written.Root("\"Limits\": { \"RequestBody\": \"3GiB\", \"Event\": \"4096B\", \"HeldAnswer\": \"64KiB\", \"BodyTime\": \"90s\", \"Concurrent\": 40 }")).Limits;
        Assert.That((limits.RequestBody, limits.Event, limits.HeldAnswer), Is.EqualTo((3L << 30, 4096, 65536)));
        Assert.That((limits.BodyTime, limits.Concurrent), Is.EqualTo((TimeSpan.FromSeconds(90), 40)));
    }

    [TestCase("Event", "\"64\"", "\"64\" needs a unit: \"64MiB\" or \"64B\".")]
    [TestCase("Event", "1048576", "1048576 needs a unit: \"1024KiB\" or \"1048576B\".")]
    [TestCase("Event", "\"64MB\"", "\"64MB\" is not a size: write \"64MiB\". Units are B, KiB, MiB, GiB.")]
    [TestCase("Event", "\"64mib\"", "\"64mib\" is not a size: write \"64MiB\". Units are B, KiB, MiB, GiB.")]
    [TestCase("Event", "\"3GiB\"", "\"3GiB\" is too large.")]
    [TestCase("Event", "\"2GiB\"", "\"2GiB\" is too large.")]
    [TestCase("Event", "\"0B\"", "is out of range: 1KiB to 1GiB.")]
    [TestCase("RequestBody", "\"5GiB\"", "is out of range: 1KiB to 4GiB.")]
    [TestCase("BodyTime", "\"25h\"", "is out of range: 1s to 24h, or 0 for no limit.")]
    [TestCase("Concurrent", "-1", "is out of range: 1 or more, or 0 for no limit.")]
    [TestCase("RequestBody", "\"99999999999GiB\"", "\"99999999999GiB\" is too large.")]
    public void A_size_that_is_none_is_refused(string name, string written, string problem)
    {
        Assert.That(
            Written.Refused(Written.Root($$"""  "Limits": { "{{name}}": {{written}} } """)),
            Is.EqualTo(new[] { $"error  line 2  Limits › {name}: {problem}" }));
    }

    [Test]
    public void The_end_has_a_pause_and_a_deadline()
    {
        var shutdown = Written.Read(Written.Root("\"Shutdown\": { \"Pause\": \"15s\", \"Deadline\": \"2m\" }")).Shutdown;
        Assert.That((shutdown.Pause, shutdown.Deadline), Is.EqualTo((TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(2))));
        shutdown = Written.Read(Written.Root("\"Shutdown\": { }")).Shutdown;
        Assert.That((shutdown.Pause, shutdown.Deadline), Is.EqualTo((TimeSpan.Zero, TimeSpan.FromMinutes(10))));
    }

    [TestCase("\"Deadline\": 600", "Deadline: 600 needs a unit: \"600s\" or \"10m\".")]
    [TestCase("\"Deadline\": \"25h\"", "Deadline: is out of range: 0s to 24h.")]
    [TestCase("\"Pause\": \"11m\"", "Pause: is longer than Deadline, which counts from the signal and has the pause in it.")]
    public void An_end_that_could_not_be_kept_to_is_refused(string member, string problem)
    {
        Assert.That(Written.Refused(Written.Root($$"""  "Shutdown": { {{member}} } """)), Is.EqualTo(new[] { "error  line 2  Shutdown › " + problem }));
    }

    [TestCase("https://chat.example.com")]
    [TestCase("http://localhost:3000")]
    [TestCase("http://[::1]:3000")]
    [TestCase("app://desktop.example")]
    public void An_origin_is_taken_as_browsers_send_it(string origin)
    {
        Assert.That(Written.Read(Written.Root($$"""  "Cors": { "Origins": ["{{origin}}"] } """)).Cors.Origins, Is.EqualTo(new[] { origin }));
    }

    [TestCase("*", "holds a star: any page could spend the keys of its visitors. Name each origin.")]
    [TestCase("https://*.example.com", "holds a star: any page could spend the keys of its visitors. Name each origin.")]
    [TestCase("null", "is not an origin, which is scheme, host and port: write for example \"https://chat.example.com\".")]
    [TestCase("chat.example.com", "is not an origin, which is scheme, host and port: write for example \"https://chat.example.com\".")]
    [TestCase("file:///home", "is not an origin, which is scheme, host and port: write for example \"https://chat.example.com\".")]
    [TestCase("https://Chat.example.com:443/", "is not what a browser sends: write \"https://chat.example.com\".")]
    [TestCase("https://chat.example.com/app", "is not what a browser sends: write \"https://chat.example.com\".")]
    [TestCase("https://ü.example", "is not what a browser sends: write \"https://xn--tda.example\".")]
    public void An_origin_that_no_browser_sends_is_refused(string origin, string problem)
    {
        Assert.That(
            Written.Refused(Written.Root($$"""  "Cors": { "Origins": ["https://a.example", "{{origin}}"] } """)),
            Is.EqualTo(new[] { "error  line 2  Cors › Origins[1]: " + problem }));
    }

    [TestCase("\"AllowAnonymous\": \"true\"", "AllowAnonymous: \"true\" is text here: write true, without quotes.")]
    [TestCase("\"AllowAnonymous\": \"yes\"", "AllowAnonymous: needs true or false without quotes, not \"yes\".")]
    [TestCase("\"AllowAnonymous\": 1", "AllowAnonymous: needs true or false, not a number.")]
    [TestCase("\"Contact\": 1", "Contact: needs text in quotes, not a number.")]
    [TestCase("\"Keys\": { \"k\": \"cAnArY+0b5e/55ecret=do.not.tell\" }", "Keys › k: needs an object { … }, not text.")]
    [TestCase("\"Keys\": [ ]", "Keys: needs an object { … }, not a list.")]
    [TestCase("\"Groups\": { \"g\": { \"Models\": \"gpt-5\" } }", "Groups › g › Models: needs a list [ … ], not text.")]
    [TestCase("\"Groups\": { \"g\": { \"Models\": null } }", "Groups › g › Models: null is no value here: leave the member out, or write a list [ … ].")]
    [TestCase("\"Listen\": { \"TrustedProxies\": \"10.0.0.0/8\" }", "Listen › TrustedProxies: needs a list [ … ], not text.")]
    [TestCase("\"Listen\": { \"TrustedProxies\": [\"10.0.0.0/8\", \"proxy.example.com\"] }", "Listen › TrustedProxies[1]: \"proxy.example.com\" is neither an address nor a network: write for example \"10.0.0.7\" or \"10.0.0.0/8\".")]
    [TestCase("\"Listen\": { \"TrustedProxies\": [\"0.0.0.0/0\"] }", "Listen › TrustedProxies[0]: \"0.0.0.0/0\" is everybody: whoever calls could give itself any address. Name the proxies.")]
    public void A_value_of_the_wrong_kind_is_refused_and_not_converted(string member, string problem)
    {
        Assert.That(Written.Refused(Written.Root(member)), Is.EqualTo(new[] { "error  line 2  " + problem }));
    }

    [TestCase("\"12\"", "\"12\" is text here: write 12, without quotes.")]
    [TestCase("1.5", "needs a whole number, not \"1.5\".")]
    [TestCase("1e3", "needs a whole number, not \"1e3\".")]
    [TestCase("99999999999", "needs a whole number, not \"99999999999\".")]
    public void A_number_is_whole_and_not_text(string written, string problem)
    {
        Assert.That(
            Written.Refused(Written.Models($$""" "m": { "Targets": ["openai/m"], "Context": {{written}} } """)),
            Is.EqualTo(new[] { "error  line 2  Models › m › Context: " + problem }));
    }

    [TestCase("2", "2.0")]
    [TestCase("\"2\"", "2.0")]
    [TestCase("1.1", "1.1")]
    [TestCase("\"1.1\"", "1.1")]
    public void The_HTTP_version_is_a_number_or_text(string written, string version)
    {
        Assert.That(
            Written.Read(Written.Upstream($$""" "Kind": "OpenAI", "HttpVersion": {{written}} """)).Upstreams["a"].HttpVersion,
            Is.EqualTo(Version.Parse(version)));
    }

    [Test]
    public void Kinds_are_exact_and_the_nearest_is_named()
    {
        Assert.That(Written.Refused(Written.Upstream("\"Kind\": \"vllm\"")), Is.EqualTo(new[] { "error  line 2  Upstreams › a › Kind: unknown value \"vllm\". Did you mean \"vLLM\"?" }));
        Assert.That(Written.Read(Written.Upstream("\"Kind\": \"vLLM\", \"Url\": \"http://h\"")).Upstreams["a"].Kind, Is.EqualTo(UpstreamKind.VLlm));
    }

    private static string[] Clock(string written) =>
        Written.Refused(Written.Upstream($$"""  "Kind": "OpenAI", "Timeouts": { "Idle": {{written}} } """));
}
