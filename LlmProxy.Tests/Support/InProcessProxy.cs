using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Tests.Support;

/// <summary>An ASP.NET app on Kestrel in this process.</summary>
public sealed class InProcessProxy : IProxyUnderTest
{
    private readonly WebApplication _app;
    private readonly CapturedLogs _logs = new();
    private readonly RecordSink _sink = new();
    private readonly ActiveRequests _active;
    private readonly string _prefix;
    private readonly string? _folder;
    private int _entered;

    private InProcessProxy(ProxySetup setup)
    {
        _prefix = setup.Prefix;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => setup.Listen?.Invoke(listen)));
        builder.Logging.ClearProviders().AddProvider(_logs).SetMinimumLevel(LogLevel.Trace);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(3));
        builder.Services.AddSingleton<IRecordSink>(_sink);
        if (setup.Clock is { } clock)
        {
            builder.Services.AddSingleton<TimeProvider>(clock);
        }

        setup.Services?.Invoke(builder.Services);
        if (setup.IsFromFile)
        {
            _folder = Directory.CreateTempSubdirectory("llmproxy-").FullName;
            ConfigurationPath = Path.Combine(_folder, "llmproxy.json");
            File.WriteAllText(ConfigurationPath, ConfigurationFile.Write(setup.Options));
            builder.AddLlmProxy(ConfigurationPath);
        }
        else
        {
            builder.AddLlmProxy(setup.Options);
        }

        _app = builder.Build();
        _active = new ActiveRequests(_app.Services.GetRequiredService<IMeterFactory>());
        _app.Use(CountAsync);
        setup.Mount(_app);
    }

    public Uri Address { get; private set; } = null!;

    public string ConfigurationPath { get; } = "";

    public LlmProxyReload Reload => _app.Services.GetRequiredService<LlmProxyReload>();

    public IReadOnlyList<RecordView> Records => _sink.Views;

    public int? Entered => Volatile.Read(ref _entered);

    public CapturedLogs Logs => _logs;

    /// <remarks>Without ASP.NET's own request log, which holds the URL as it came: whether an app writes that is its own setting.</remarks>
    public IEnumerable<string> LogLines =>
        _logs.Entries.Where(e => e.Category != "Microsoft.AspNetCore.Hosting.Diagnostics").Select(e => e.ToString());

    public IEnumerable<string> ErrorLines => _logs.Entries.Where(e => e.Level >= LogLevel.Error).Select(e => e.ToString());

    public IServiceProvider Services => _app.Services;

    public static async Task<InProcessProxy> StartAsync(ProxySetup setup)
    {
        var proxy = new InProcessProxy(setup);
        try
        {
            await proxy._app.StartAsync();
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }

        proxy.Address = new Uri(proxy._app.Urls.Single());
        return proxy;
    }

    public Task<long?> ActiveAsync()
    {
        long current = _active.Current;
        return Task.FromResult<long?>(_active.IsPublished ? current : null);
    }

    public Task<long> GenerationAsync() => Task.FromResult(Reload.Generation);

    public Task AskToReloadAsync() => Reload.ReloadAsync();

    public async Task<string?> StopAsync()
    {
        await Deadline.In(_app.StopAsync());
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        await Deadline.In(_app.DisposeAsync().AsTask());
        _active.Dispose();
        if (_folder is not null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private Task CountAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path.StartsWithSegments(_prefix, StringComparison.Ordinal))
        {
            Interlocked.Increment(ref _entered);
        }

        return next(context);
    }

    private sealed class RecordSink : IRecordSink
    {
        private readonly ConcurrentQueue<RecordView> _views = new();

        public IReadOnlyList<RecordView> Views => [.. _views];

        public void Write(IReadOnlyList<ExchangeRecord> records)
        {
            foreach (ExchangeRecord record in records)
            {
                _views.Enqueue(RecordView.Of(record));
            }
        }
    }
}
