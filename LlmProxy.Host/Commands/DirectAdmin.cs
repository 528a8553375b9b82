using System.Net;
using LlmProxy.Core;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Serving;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Commands;

/// <summary>
/// The admin API without a server: the proxy that is configured, with its store, answers this process alone. For commands while no
/// instance runs.
/// </summary>
internal sealed class DirectAdmin : HttpMessageHandler, IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly RequestDelegate _answer;

    private DirectAdmin(WebApplication app, RequestDelegate answer) => (_app, _answer) = (app, answer);

    /// <exception cref="RefusedException">Nothing is configured.</exception>
    public static async Task<DirectAdmin> OpenAsync(ConfigurationSource source, UpstreamVariables variables, CancellationToken cancellation)
    {
        if (source.Kind == SourceKind.Nothing)
        {
            throw new RefusedException("No instance runs here, and nothing is configured. Start llmproxy, or name its configuration with --config.");
        }

        var configuration = LoadedConfiguration.Read(source, variables);
        var app = ProxyServer.BuildWithoutListening(configuration, ListenPlan.Make(urls: null, configuration.Options.Listen));
        var branch = ((IApplicationBuilder)app).New();
        branch.UseLlmProxyAdmin(ProxyPipeline.AdminPrefix, static _ => true);
        var direct = new DirectAdmin(app, branch.Build());
        try
        {
            foreach (var service in app.Services.GetServices<IHostedService>().Where(IsOfStores))
            {
                await service.StartAsync(cancellation);
            }
        }
        catch
        {
            await direct.DisposeAsync();
            throw;
        }

        return direct;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _app.Services.GetServices<IHostedService>().Where(IsOfStores).Reverse())
        {
            await service.StopAsync(CancellationToken.None);
            if (service is IHostedLifecycleService last)
            {
                await last.StoppedAsync(CancellationToken.None);
            }
        }

        await _app.DisposeAsync();
        Dispose();
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider, RequestAborted = cancellationToken };
        http.Request.Method = request.Method.Method;
        http.Request.Path = PathString.FromUriComponent(request.RequestUri!);
        http.Request.QueryString = QueryString.FromUriComponent(request.RequestUri!);
        http.Response.Body = body;
        if (request.Content is { } content)
        {
            http.Request.Body = await content.ReadAsStreamAsync(cancellationToken);
            http.Request.ContentLength = content.Headers.ContentLength;
            http.Request.ContentType = content.Headers.ContentType?.ToString();
        }

        await _answer(http);
        return new HttpResponseMessage((HttpStatusCode)http.Response.StatusCode) { Content = new ByteArrayContent(body.ToArray()), RequestMessage = request };
    }

    // The health checks, the watch of the configuration and the server itself have no part in this.
    private static bool IsOfStores(IHostedService service) => service.GetType().Namespace is
        "LlmProxy.Core.Authentication" or "LlmProxy.Core.Admission" or "LlmProxy.Core.Accounting" or "LlmProxy.Host.Stores";
}
