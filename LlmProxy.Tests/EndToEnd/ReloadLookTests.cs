using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What each look at the files makes of what it sees, on a clock that only moves when told.</summary>
[TestFixture]
public sealed class ReloadLookTests
{
    private static readonly DateTime _long = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow.AddDays(1));
    private string _folder = "";
    private IHost _host = null!;
    private ReloadWatch _watch = null!;

    private LlmProxyReload Reload => _host.Services.GetRequiredService<LlmProxyReload>();

    private string Path1 => Path.Combine(_folder, "llmproxy.json");

    [SetUp]
    public void Begin()
    {
        _folder = Directory.CreateTempSubdirectory("llmproxy-look-").FullName;
        Write(Written("one"));
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.Services.AddSingleton<TimeProvider>(_clock);
        builder.Logging.ClearProviders();
        builder.AddLlmProxy(Path1);
        _host = builder.Build();
        _watch = ActivatorUtilities.CreateInstance<ReloadWatch>(_host.Services);
        Look(3);
        Assert.That(Reload.Generation, Is.EqualTo(1));
    }

    [TearDown]
    public void End()
    {
        _watch.Dispose();
        _host.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void A_change_is_read_at_the_second_look_that_sees_the_same()
    {
        Write(Written("two"));
        Look();
        Assert.That(Reload.Generation, Is.EqualTo(1), "it may still be written");
        Look();
        Assert.That(Reload.Generation, Is.EqualTo(2));
    }

    [Test]
    public void Half_a_file_or_none_is_no_failure_before_it_has_lasted_a_second()
    {
        File.Delete(Path1);
        Look(2);
        Write(Written("two")[..20]);
        Look(3);
        Assert.That(Reload.LastError, Is.Null);
        Write(Written("two"));
        Look(2);
        Assert.That(Reload.LastError, Is.Null);
        Assert.That(Reload.Generation, Is.EqualTo(2));
    }

    [Test]
    public void Half_a_file_that_stays_is_a_failure_told_once_and_another_one_once_more()
    {
        Write(Written("two")[..20]);
        Look(6);
        LlmProxyReloadError? first = Reload.LastError;
        Assert.That(first, Is.Not.Null);
        File.SetLastWriteTimeUtc(Path1, _long);
        Look(6);
        Assert.That(Reload.LastError, Is.SameAs(first), "touched, and the same");
        Write(Written("two")[..30]);
        Look(6);
        Assert.That(Reload.LastError, Is.Not.SameAs(first));
        Write(Written("one"));
        Look(2);
        Assert.That(Reload.LastError, Is.Null);
        Assert.That(Reload.Generation, Is.EqualTo(1));
    }

    [Test]
    public void A_file_that_a_refused_one_needs_is_watched_for_too()
    {
        string secret = Path.Combine(_folder, "secret");
        Write(Written("two", $"${{file:{secret}}}"));
        Look(6);
        Assert.That(Reload.LastError!.Problems.Single().Message, Does.Contain(secret));
        File.WriteAllText(secret, "sk-now");
        Look(2);
        Assert.That(Reload.Generation, Is.EqualTo(2));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_second_change_of_the_same_length_within_the_same_moment_is_seen_while_the_file_is_young(bool isYoung)
    {
        DateTime written = _clock.GetUtcNow().UtcDateTime.AddSeconds(isYoung ? 0 : -60);
        Write(Written("two"), written);
        Look(2);
        Write(Written("six"), written);
        Look();
        Assert.That(Reload.Outline.Models, Is.EqualTo(new[] { isYoung ? "six" : "two" }));
    }

    [Test]
    public void A_link_that_leads_elsewhere_is_another_file_however_alike_the_two_are()
    {
        foreach (string name in (string[])["a", "b"])
        {
            string folder = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
            File.WriteAllText(Path.Combine(folder, "f"), name);
            File.SetLastWriteTimeUtc(Path.Combine(folder, "f"), _long);
        }

        string link = Path.Combine(_folder, "data");
        string file = Path.Combine(_folder, "f");
        Directory.CreateSymbolicLink(link, "a");
        File.CreateSymbolicLink(file, "data/f");
        FileStamp before = FileStamp.Of(file);
        Directory.Delete(link);
        FileStamp without = FileStamp.Of(file);
        Directory.CreateSymbolicLink(link, Path.Combine(_folder, "b"));
        FileStamp after = FileStamp.Of(file);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(before.Target, Does.EndWith("/a/f"));
            Assert.That(after.Target, Does.EndWith("/b/f"));
            Assert.That(without, Is.EqualTo(default(FileStamp)));
            Assert.That(after with { Target = before.Target }, Is.EqualTo(before), "all else is the same");
        }

        File.CreateSymbolicLink(Path.Combine(_folder, "loop"), "loop");
        Assert.That(FileStamp.Of(Path.Combine(_folder, "loop")), Is.EqualTo(default(FileStamp)));
    }

    private static string Written(string model, string key = "sk-x") => $$"""
        { "Upstreams": { "a": { "Kind": "OpenAI", "ApiKey": "{{key}}" } }, "Models": { "{{model}}": "a/m" }, "AllowAnonymous": true }
        """;

    private void Look(int times = 1)
    {
        for (int i = 0; i < times; i++)
        {
            _clock.Advance(ReloadWatch.Period);
            _watch.Look(Reload.Source!);
        }
    }

    private void Write(string text, DateTime? at = null)
    {
        File.WriteAllText(Path1, text);
        if (at is { } time)
        {
            File.SetLastWriteTimeUtc(Path1, time);
        }
    }
}
