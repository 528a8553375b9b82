using System.Data.Common;
using System.Net;
using System.Net.Sockets;
using LlmProxy.Core;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Serving;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stores;

namespace LlmProxy.Host.Commands;

/// <summary>
/// The admin API without a server: the proxy that is configured, with its store, answers this process alone. For commands while no
/// instance runs. Nothing of it is started: it brings no rows of a journal to the store, deletes none, and takes nothing that is an instance's.
/// </summary>
internal sealed class DirectAdmin : HttpMessageHandler, IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly OpenedStore _store;
    private readonly RequestDelegate _answer;

    private DirectAdmin(WebApplication app, OpenedStore store, RequestDelegate answer) => (_app, _store, _answer) = (app, store, answer);

    /// <exception cref="RefusedException">Nothing is configured.</exception>
    public static async Task<DirectAdmin> OpenAsync(ConfigurationSource source, UpstreamVariables variables, CancellationToken cancellation)
    {
        if (source.Kind == SourceKind.Nothing)
        {
            throw new RefusedException("No instance runs here, and nothing is configured. Start llmproxy, or name its configuration with --config.");
        }

        var configuration = LoadedConfiguration.Read(source, variables);
        var store = await OpenedStore.OpenAsync(configuration.Options.Store, isDemo: false, cancellation);
        var app = ProxyServer.BuildWithoutListening(configuration, store, ListenPlan.Make(urls: null, configuration.Options.Listen));
        var branch = ((IApplicationBuilder)app).New();
        branch.UseLlmProxyAdmin(ProxyPipeline.AdminPrefix, static _ => true);
        var direct = new DirectAdmin(app, store, branch.Build());
        try
        {
            await app.Services.GetRequiredService<LlmProxyKeys>().ReadStoreAsync(cancellation);
            return direct;
        }
        catch (Exception e) when (e is DbException or TimeoutException or IOException or SocketException)
        {
            await direct.DisposeAsync();
            throw new RefusedException($"The store cannot be read: {StoreHealth.Explain(e)}");
        }
        catch
        {
            await direct.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _store.Dispose();
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
}
