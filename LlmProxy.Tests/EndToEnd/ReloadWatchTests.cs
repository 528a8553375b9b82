using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Routing;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>How a change is noticed, whichever way the file is written.</summary>
[TestFixture]
public sealed class ReloadWatchTests
{
    private string _folder = "";
    private IHost? _host;

    private LlmProxyReload Reload => _host!.Services.GetRequiredService<LlmProxyReload>();

    private string File1 => Path.Combine(_folder, "llmproxy.json");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("llmproxy-watch-").FullName;

    [TearDown]
    public async Task EndAsync()
    {
        if (_host is not null)
        {
            await _host.StopAsync();
            _host.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task A_write_in_place_is_in_force_about_a_second_later()
    {
        await StartAsync(Written("one"));
        await File.WriteAllTextAsync(File1, Written("two"));
        await InForceAsync("two");
        Assert.That(Reload.Generation, Is.EqualTo(2));
    }

    [Test]
    public async Task A_file_renamed_over_it_is_seen_though_it_is_as_long_and_as_new()
    {
        await StartAsync(Written("one"));
        string next = Path.Combine(_folder, "next");
        await File.WriteAllTextAsync(next, Written("two"));
        File.SetLastWriteTimeUtc(next, File.GetLastWriteTimeUtc(File1));
        File.Move(next, File1, overwrite: true);
        await InForceAsync("two");
    }

    [Test]
    public async Task A_link_to_the_folder_above_that_changes_is_seen_as_config_maps_do_it()
    {
        var old = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        foreach (string name in (string[])["one", "two"])
        {
            string version = Directory.CreateDirectory(Path.Combine(_folder, ".." + name)).FullName;
            await File.WriteAllTextAsync(Path.Combine(version, "llmproxy.json"), Written(name));
            File.SetLastWriteTimeUtc(Path.Combine(version, "llmproxy.json"), old);
        }

        Directory.CreateSymbolicLink(Path.Combine(_folder, "..data"), "..one");
        File.CreateSymbolicLink(File1, Path.Combine("..data", "llmproxy.json"));
        await StartAsync();
        Directory.CreateSymbolicLink(Path.Combine(_folder, "..tmp"), "..two");
        Rename(Path.Combine(_folder, "..tmp"), Path.Combine(_folder, "..data"));
        await InForceAsync("two");
    }

    [Test]
    public async Task A_file_that_stays_away_is_told_and_what_was_read_stays_in_force()
    {
        await StartAsync(Written("one"));
        File.Delete(File1);
        await Deadline.Until(() => Reload.LastError is not null);
        Assert.That(Reload.LastError!.Problems.Single().Message, Is.EqualTo("the file does not exist."));
        Assert.That(Reload.Generation, Is.EqualTo(1));
    }

    [Test]
    public async Task A_file_that_it_refers_to_counts_as_part_of_it()
    {
        string secret = Path.Combine(_folder, "secret");
        await File.WriteAllTextAsync(secret, "sk-one");
        await StartAsync(Written("one", $"${{file:{secret}}}"));
        await File.WriteAllTextAsync(secret, "sk-two");
        await Deadline.Until(() => Reload.Generation == 2);
        Upstream upstream = _host!.Services.GetRequiredService<LlmProxySnapshots>().Current.Routes.Upstreams.Single();
        Assert.That(upstream.Key!.Value.Value, Is.EqualTo("Bearer sk-two"));
        Assert.That(upstream.ClientName, Is.EqualTo("a#2"));
    }

    [Test]
    public async Task Touched_and_the_same_it_is_no_new_generation()
    {
        await StartAsync(Written("one"));
        File.SetLastWriteTimeUtc(File1, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        // Nothing is to happen: it is given the time in which it would.
        await Task.Delay(3 * ReloadWatch.Period);
        Assert.That(await Reload.ReloadAsync(), Is.True);
        Assert.That(Reload.Generation, Is.EqualTo(1));
    }

    [Test]
    public async Task What_needs_a_restart_is_named_and_the_rest_is_in_force()
    {
        await StartAsync(Written("one"));
        await File.WriteAllTextAsync(File1, Written("two", more: """, "Listen": { "Api": "http://127.0.0.1:1" }"""));
        await InForceAsync("two");
        Assert.That(Reload.NeedsRestart, Is.EqualTo(new[] { "Listen › Api" }));
        await File.WriteAllTextAsync(File1, Written("six"));
        await InForceAsync("six");
        Assert.That(Reload.NeedsRestart, Is.Empty);
    }

    [Test]
    public async Task Nobody_left_who_could_call_is_refused_and_so_is_what_the_app_itself_refuses()
    {
        await StartAsync(Written("one"), options =>
        {
            if (options.Contact == "nobody")
            {
                throw new LlmProxyConfigurationException("the app", [new ConfigurationProblem(true, 0, "Contact", "not this one.")]);
            }
        });
        await File.WriteAllTextAsync(File1, Written("two").Replace("\"AllowAnonymous\": true", "\"AllowAnonymous\": false", StringComparison.Ordinal));
        Assert.That(await Reload.ReloadAsync(), Is.False);
        Assert.That(Reload.LastError!.Problems.Single().Path, Is.EqualTo("Keys"));
        await File.WriteAllTextAsync(File1, Written("two", more: """, "Contact": "nobody" """));
        Assert.That(await Reload.ReloadAsync(), Is.False);
        Assert.That(Reload.LastError!.Problems.Single().Message, Is.EqualTo("not this one."));
        Assert.That(Reload.Generation, Is.EqualTo(1));
    }

    [Test]
    public async Task A_section_of_the_app_s_configuration_is_followed_under_the_same_rules()
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        var values = new Dictionary<string, string?>
        {
            ["P:Upstreams:a:Kind"] = "OpenAI",
            ["P:Models:one"] = "a/m",
            ["P:AllowAnonymous"] = "true",
        };
        builder.Configuration.AddInMemoryCollection(values);
        builder.AddLlmProxy(builder.Configuration.GetSection("P"));
        await StartAsync(builder);
        builder.Configuration["P:Models:two"] = "a/n";
        ((IConfigurationRoot)builder.Configuration).Reload();
        await InForceAsync("one", "two");
        builder.Configuration["P:Modells:two"] = "a/n";
        ((IConfigurationRoot)builder.Configuration).Reload();
        await Deadline.Until(() => Reload.LastError is not null);
        Assert.That(Reload.LastError!.Problems.Single().Message, Does.Contain("Modells"));
        Assert.That(Reload.Generation, Is.EqualTo(2));
    }

    private static string Written(string model, string key = "sk-x", string more = "") => $$"""
        { "Upstreams": { "a": { "Kind": "OpenAI", "ApiKey": "{{key}}" } }, "Models": { "{{model}}": "a/m" }, "AllowAnonymous": true{{more}} }
        """;

    private async Task StartAsync(string text, Action<LlmProxyOptions>? adjust = null)
    {
        await File.WriteAllTextAsync(File1, text);
        await StartAsync(adjust);
    }

    private Task StartAsync(Action<LlmProxyOptions>? adjust = null)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.AddLlmProxy(File1, adjust);
        return StartAsync(builder);
    }

    private Task StartAsync(HostApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        _host = builder.Build();
        return _host.StartAsync();
    }

    private Task InForceAsync(params string[] models) =>
        Deadline.Until(() => Reload.Outline.Models.SequenceEqual(models), what: $"{string.Join(", ", models)} in force");

    private static void Rename(string from, string to)
    {
        using var move = System.Diagnostics.Process.Start("mv", ["-T", from, to]);
        move.WaitForExit();
        Assert.That(move.ExitCode, Is.Zero);
    }
}
