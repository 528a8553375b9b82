using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Logging;
using LlmProxy.Host.Records;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stopping;
using LlmProxy.Host.Stores;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmProxy.Host.Serving;

/// <summary>The running proxy: a server, the middleware and what the executable adds to it.</summary>
internal sealed class ProxyServer : IAsyncDisposable
{
    /// <summary>For answers that are written and still on their way; nothing runs any more by then.</summary>
    private static readonly TimeSpan _lastBytes = TimeSpan.FromSeconds(2);

    /// <summary>For the records, should standard output be slow.</summary>
    private static readonly TimeSpan _lastRecords = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;
    private readonly StopSteps _stopping;
    private readonly ReloadSignal _reloading;
    private readonly LocalSocket? _socket;

    private ProxyServer(WebApplication app, StopSteps stopping, ReloadSignal reloading, LocalSocket? socket)
    {
        _socket = socket;
        _app = app;
        _stopping = stopping;
        _reloading = reloading;
    }

    /// <summary>The addresses that it got, the API's first, the admin listener's last.</summary>
    public IReadOnlyList<string> Addresses { get; private set; } = [];

    /// <summary>Starts it; what an address that cannot be listened on throws, <see cref="BindFailure"/> explains.</summary>
    public static async Task<ProxyServer> StartAsync(
        LoadedConfiguration configuration, OpenedStore store, ListenPlan plan, bool writesRecords, FileLimit? files, StopSignals signals, CancellationToken cancellation)
    {
        var socket = LocalSocket.TryOpen(configuration.Source);
        var builder = CreateBuilder(configuration, store, plan, writesRecords, files, signals, socket);
        var app = builder.Build();
        var proxy = app.Services.GetRequiredService<LlmProxyLifetime>();
        var reload = app.Services.GetRequiredService<LlmProxyReload>();
        var ports = new ServedPorts(plan.IsLoopback, plan.Admin?.Port);
        var ready = new ReadyPage(
            signals, proxy, reload, app.Services.GetRequiredService<LlmProxyStatus>(), configuration.Source, ports,
            new StorePage(store.Kind, app.Services.GetService<StoreHealth>(), app.Services.GetRequiredService<LlmProxyKeys>(), app.Services.GetRequiredService<LlmProxyUsage>()));
        var pages = new OwnPages(configuration.IsDemo, ready, new RunningPage(reload, configuration.Source, ports));
        ProxyPipeline.Build(app, pages, ports, signals, configuration.Options);

        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(StopSteps.Category);
        var server = new ProxyServer(app, new StopSteps(proxy, signals, configuration.Options.Shutdown, TimeProvider.System, logger), new ReloadSignal(reload), socket);
        try
        {
            await app.StartAsync(cancellation);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        server.Addresses =
        [
            .. app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Where(static a => !LocalSocket.IsOne(a)),
        ];
        ports.SetServed(server.Addresses);
        return server;
    }

    /// <summary>All of it but a server: for who wants what is behind one.</summary>
    public static WebApplication BuildWithoutListening(LoadedConfiguration configuration, OpenedStore store, ListenPlan plan) =>
        CreateBuilder(configuration, store, plan, writesRecords: false, files: null, signals: null, socket: null).Build();

    private static WebApplicationBuilder CreateBuilder(
        LoadedConfiguration configuration, OpenedStore store, ListenPlan plan, bool writesRecords, FileLimit? files, StopSignals? signals, LocalSocket? socket)
    {
        // Nothing by default: where configuration comes from, where it listens and what it logs are all decided here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "llmproxy" });
        builder.Configuration.AddEnvironmentVariables();
        AddLogging(builder);
        if (signals is not null)
        {
            builder.Services.AddSingleton<IHostLifetime>(signals);
        }

        // The steps have an end of their own; the host's would reset the streams that they wait for.
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, plan, files, socket));
        // The same on the server's side; see Program.cs for what it asks of the code.
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;
            sockets.CreateBoundListenSocket = address => socket?.TryCreate(address) ?? SocketTransportOptions.CreateDefaultBoundListenSocket(address);
        });
        if (ConnectionBuffers.IsSupported)
        {
            builder.Services.AddSingleton<IMemoryPoolFactory<byte>, ConnectionBufferFactory>();
        }

        store.Register(builder.Services);
        ConfigurationFollow.Add(builder, configuration, plan, files);
        builder.Services.RemoveAll<IRecordSink>();
        if (writesRecords)
        {
            builder.Services.AddSingleton<IRecordSink>(static _ => ConsoleRecordSink.Open());
        }

        builder.Services.AddHostedService<QuietMoment>();
        TelemetryExport.Add(builder.Services);
        TrustedProxies.Add(builder.Services, configuration.Options.Listen.TrustedProxies);
        BrowserAccess.Add(builder.Services, configuration.Options.Cors);
        return builder;
    }

    /// <summary>Until a signal asks it to stop, and it has.</summary>
    public async Task RunAsync()
    {
        await _stopping.RunAsync();

        // By itself, so that a client that does not read its last bytes takes no time from the records.
        using var bytes = new CancellationTokenSource(_lastBytes, TimeProvider.System);
        await _app.Services.GetRequiredService<IServer>().StopAsync(bytes.Token);
        using var records = new CancellationTokenSource(_lastRecords, TimeProvider.System);
        await _app.StopAsync(records.Token);
    }

    public async ValueTask DisposeAsync()
    {
        _reloading.Dispose();
        await _app.DisposeAsync();
        _socket?.Remove();
    }

    private static void AddLogging(WebApplicationBuilder builder)
    {
        builder.Logging.AddFilter(StopSteps.Category, LogLevel.Information)
            .AddFilter(typeof(LlmProxyReload).FullName, LogLevel.Information)
            // Who is told that an upstream has gone wants to know that it is back.
            .AddFilter("LlmProxy.Core.Forwarding.HealthChecks", LogLevel.Information)
            .AddFilter("LlmProxy.Core.Authentication.KeyStoreFollower", LogLevel.Information)
            .AddFilter(typeof(StoreCare).FullName, LogLevel.Information)
            // Who has changed what.
            .AddFilter("LlmProxy.Core.Admin.AdminApi", LogLevel.Information)
            // Said before the start, in the same words as by "llmproxy check".
            .AddFilter("LlmProxy.Core.Configuration", LogLevel.Error)
            .AddConfiguration(builder.Configuration.GetSection("Logging")).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton<ILoggerProvider, StandardErrorLog>();
    }

    private static void Configure(KestrelServerOptions kestrel, ListenPlan plan, FileLimit? files, LocalSocket? socket)
    {
        kestrel.AddServerHeader = false;
        // The middleware refuses what is too large, with a proper answer, per request.
        kestrel.Limits.MaxRequestBodySize = null;
        // A client that reads slowly slows its upstream; one that stalls is cut by the middleware's own clock.
        kestrel.Limits.MinResponseDataRate = null;
        // Longer than the idle time of the usual load balancers (60 s) and clients (120 s): whoever reuses a connection must
        // not meet our close of it.
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(130);
        // Slow headers are an attack; real clients send them in one packet.
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);

        var cap = files is { } limit
            ? new ConnectionCap(limit.Connections, TimeProvider.System, kestrel.ApplicationServices.GetRequiredService<ILogger<ConnectionCap>>())
            : null;
        foreach (var address in plan.Api)
        {
            address.Bind(kestrel, listener =>
            {
                if (cap is not null)
                {
                    listener.Use(cap.Limit);
                }

                Configure(listener, address, plan.Certificate);
            });
        }

        // Not counted: somebody has to be able to look when the API is full.
        plan.Admin?.Bind(kestrel, listener => Configure(listener, plan.Admin, plan.Certificate));
        socket?.Bind(kestrel);
    }

    private static void Configure(ListenOptions listener, ListenAddress address, ServerCertificate? certificate)
    {
        // Without TLS there is nothing to negotiate HTTP/2 by.
        listener.Protocols = address.IsTls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
        listener.Use(SocketOutput.Use);
        if (address.IsTls)
        {
            listener.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = certificate!.Leaf, ServerCertificateChain = certificate.Chain });
        }
    }
}
