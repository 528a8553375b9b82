using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Benchmarks.Soak;

/// <summary>The proxy under load: the executable as its own process, or an app in this one.</summary>
internal sealed class SoakProxy : IAsyncDisposable
{
    public const string Key = "sk-soak-of-the-benchmarks";
    public const string Model = "soak";

    private readonly WebApplication? _app;
    private readonly Process? _process;
    private readonly string? _folder;

    private SoakProxy(WebApplication app)
    {
        _app = app;
        Address = new Uri(app.Urls.First());
        ProcessId = Environment.ProcessId;
    }

    private SoakProxy(Process process, Uri address, string folder)
    {
        _process = process;
        _folder = folder;
        Address = address;
        ProcessId = process.Id;
    }

    public Uri Address { get; }

    public int ProcessId { get; }

    public bool IsOwnProcess => _process is not null;

    public static Task<SoakProxy> StartAsync(string? executable, Uri upstream) =>
        executable is null ? StartAppAsync(upstream) : StartProcessAsync(executable, upstream);

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        if (_process is not null)
        {
            using (var stop = Process.Start("kill", ["-TERM", ProcessId.ToString(CultureInfo.InvariantCulture)]))
            {
                await stop.WaitForExitAsync();
            }

            await _process.WaitForExitAsync();
            _process.Dispose();
            Directory.Delete(_folder!, recursive: true);
        }
    }

    private static async Task<SoakProxy> StartAppAsync(Uri upstream)
    {
        var options = new LlmProxyOptions
        {
            Upstreams = { ["soak"] = new UpstreamOptions { Url = upstream } },
            Models = { [Model] = new ModelOptions { Targets = { new TargetOptions { Upstream = "soak", Model = "soak" } } } },
            Keys = { ["soak"] = new KeyOptions { Key = Key } },
        };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddLlmProxy(options);
        var app = builder.Build();
        app.UseLlmProxy();
        await app.StartAsync();
        return new SoakProxy(app);
    }

    private static async Task<SoakProxy> StartProcessAsync(string executable, Uri upstream)
    {
        var folder = Directory.CreateTempSubdirectory("llmproxy-soak-").FullName;
        var file = Path.Combine(folder, "llmproxy.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["Upstreams"] = new Dictionary<string, object> { ["soak"] = new Dictionary<string, string> { ["Url"] = upstream.ToString() } },
            ["Models"] = new Dictionary<string, string> { [Model] = "soak/soak" },
            ["Keys"] = new Dictionary<string, object> { ["soak"] = new Dictionary<string, string> { ["Hash"] = ApiKeys.Hash(Key) } },
        }));
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Random.Shared.Next(20_000, 32_000)}"));
        var process = Process.Start(new ProcessStartInfo(executable, ["--config", file, "--urls", address.GetLeftPart(UriPartial.Authority)])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

        // Records and the log are read and forgotten, as a collector would.
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await WaitAsync(process, address);
        return new SoakProxy(process, address, folder);
    }

    private static async Task WaitAsync(Process process, Uri address)
    {
        using var client = new HttpClient { BaseAddress = address };
        for (var i = 0; i < 200 && !process.HasExited; i++)
        {
            try
            {
                using var ready = await client.GetAsync(new Uri("/readyz", UriKind.Relative));
                return;
            }
            catch (HttpRequestException)
            {
                // Asked again until it answers or has ended.
                await Task.Delay(50);
            }
        }

        throw new InvalidOperationException("The executable did not start.");
    }
}
