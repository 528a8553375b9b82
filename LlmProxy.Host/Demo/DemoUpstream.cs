using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmProxy.Host.Demo;

/// <summary>
/// A small OpenAI-style server with a fake model, on a loopback port of its own: reached over HTTP like any other upstream,
/// so that the demo goes the same way through the proxy as real traffic.
/// </summary>
internal sealed class DemoUpstream : IAsyncDisposable
{
    /// <summary>The one model it has.</summary>
    public const string Model = "demo";

    private readonly WebApplication _app;
    private readonly byte[] _authorization;
    private readonly DemoCompletions _completions;

    private DemoUpstream(WebApplication app, string key, TimeProvider time)
    {
        _app = app;
        Key = key;
        _authorization = Encoding.ASCII.GetBytes("Bearer " + key);
        _completions = new DemoCompletions(time);
    }

    /// <summary>The base address, ending in <c>/v1</c>.</summary>
    public Uri Url { get; private set; } = new("http://127.0.0.1/v1");

    /// <summary>The random secret of this run: other processes of the machine have no business here.</summary>
    public string Key { get; }

    public static async Task<DemoUpstream> StartAsync(TimeProvider time, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel =>
        {
            kestrel.AddServerHeader = false;
            // What one request may hold is for the proxy in front to say.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        // Signals are for the application in front: it ends its streams first and then this one.
        builder.Services.AddSingleton<IHostLifetime, WithoutSignals>();
        builder.Services.AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance);
        var app = builder.Build();

        var demo = new DemoUpstream(app, RandomNumberGenerator.GetHexString(32, lowercase: true), time);
        app.Run(demo.AnswerAsync);
        try
        {
            await app.StartAsync(cancellation);
            var address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
            demo.Url = new Uri(address + "/v1");
            return demo;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever still streams from here has had its grace in the application in front.
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private Task AnswerAsync(HttpContext http)
    {
        var authorization = Encoding.ASCII.GetBytes(http.Request.Headers.Authorization.ToString());
        if (!CryptographicOperations.FixedTimeEquals(authorization, _authorization))
        {
            return DemoError.WriteAsync(http, 401, "Only the proxy that started this demo may ask it.", "invalid_api_key");
        }

        return (http.Request.Method, http.Request.Path.Value) switch
        {
            ("POST", "/v1/chat/completions") => _completions.AnswerAsync(http, legacy: false),
            ("POST", "/v1/completions") => _completions.AnswerAsync(http, legacy: true),
            ("POST", "/v1/embeddings") => DemoEmbeddings.AnswerAsync(http),
            ("GET", "/v1/models") => DemoModels.AnswerAsync(http),
            _ => DemoError.WriteAsync(http, 404, "The demo model does not serve this.", "not_found"),
        };
    }

    private sealed class WithoutSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
