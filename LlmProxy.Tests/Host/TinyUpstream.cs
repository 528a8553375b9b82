using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LlmProxy.Tests.Host;

/// <summary>An upstream that answers every chat request with the same short stream and remembers what it was asked.</summary>
internal sealed class TinyUpstream : IAsyncDisposable
{
    public const string Stream =
        """
        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"I am "},"finish_reason":null}]}

        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{"index":0,"delta":{"content":"tiny."},"finish_reason":null}]}

        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: [DONE]


        """;

    private readonly WebApplication _app;

    private TinyUpstream(WebApplication app) => _app = app;

    /// <summary>The base address, with <c>/v1</c>.</summary>
    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/v1";

    public ConcurrentQueue<Asked> Requests { get; } = new();

    public static async Task<TinyUpstream> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var upstream = new TinyUpstream(builder.Build());
        upstream._app.Run(upstream.AnswerAsync);
        await upstream._app.StartAsync();
        return upstream;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync();
        Requests.Enqueue(new Asked(http.Request.Path, http.Request.Headers.Authorization.ToString(), body));
        http.Response.ContentType = "text/event-stream";
        await http.Response.WriteAsync(Stream.ReplaceLineEndings("\n"));
    }

    /// <summary>One request as it came.</summary>
    internal sealed record Asked(string Path, string Authorization, string Body);
}
