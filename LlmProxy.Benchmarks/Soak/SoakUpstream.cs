using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Benchmarks.Soak;

/// <summary>An upstream that is mostly well: one answer in twenty is an error, and one stream in twenty breaks.</summary>
internal sealed class SoakUpstream : IAsyncDisposable
{
    private const string Chunk = """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"soak","choices":[{"index":0,"delta":""";
    private const string Answer = """{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"soak","choices":[{"index":0,"message":{"role":"assistant","content":"word word word"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}""";

    private static readonly byte[] _delta = Encoding.UTF8.GetBytes("data: " + Chunk + """{"content":" word"},"finish_reason":null}]}""" + "\n\n");
    private static readonly byte[] _end = Encoding.UTF8.GetBytes("data: " + Chunk + """{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n");

    private readonly WebApplication _app;

    private SoakUpstream(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.First() + "/v1");

    public static async Task<SoakUpstream> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        return new SoakUpstream(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task AnswerAsync(HttpContext http)
    {
        using var body = new StreamReader(http.Request.Body);
        var streams = (await body.ReadToEndAsync(http.RequestAborted)).Contains("\"stream\":true", StringComparison.Ordinal);
        var luck = Random.Shared.Next(20);
        if (luck == 0)
        {
            http.Response.StatusCode = 500;
            await http.Response.WriteAsJsonAsync(new Dictionary<string, string> { ["error"] = "bad luck" }, http.RequestAborted);
        }
        else if (streams)
        {
            await StreamAsync(http, breaks: luck == 1);
        }
        else
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(Answer, http.RequestAborted);
        }
    }

    private static async Task StreamAsync(HttpContext http, bool breaks)
    {
        http.Response.ContentType = "text/event-stream";
        var events = Random.Shared.Next(5, 200);
        try
        {
            for (var i = 0; i < events; i++)
            {
                await http.Response.Body.WriteAsync(_delta, http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                if (i % 8 == 0)
                {
                    await Task.Delay(Random.Shared.Next(1, 20), http.RequestAborted);
                }
            }

            if (breaks)
            {
                http.Abort();
                return;
            }

            await http.Response.Body.WriteAsync(_end, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The client of the proxy has left, and so has the proxy.
        }
    }
}
