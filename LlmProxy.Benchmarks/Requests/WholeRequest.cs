using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Benchmarks.Requests;

/// <summary>
/// A client, an app with the proxy and an upstream in one process, over loopback; only the app takes memory. The caller has limits, the
/// target a price, and somebody listens to the metrics.
/// </summary>
internal sealed class WholeRequest : IDisposable
{
    private const string Key = "sk-key-of-the-benchmarks-0123456789";

    private readonly PlainUpstream _upstream;
    private readonly WebApplication _app;
    private readonly MeterListener _listener = new();
    private readonly PlainHttp _client;
    private readonly PlainHttp _direct;
    private readonly byte[] _request;

    /// <param name="events">Of each stream; 0 for whole answers.</param>
    /// <param name="instead">Makes what stands in the place of the proxy, for an upstream; null: the proxy.</param>
    /// <param name="isOneByOne">An event comes when the client has the one before it, else all at once.</param>
    public WholeRequest(int events, Func<Uri, RequestDelegate>? instead = null, bool isOneByOne = false)
    {
        _upstream = new PlainUpstream(events, isOneByOne);
        _app = Start(_upstream.Url, instead?.Invoke(_upstream.Url));
        Listen();
        var address = new Uri(_app.Urls.First());
        _client = PlainHttp.Connect(address, isOneByOne ? _upstream.Seen : null);
        _direct = PlainHttp.Connect(_upstream.Url);
        var body = $$"""{"model":"gpt-5","messages":[{"role":"user","content":"Why does the build fail?"}],"max_completion_tokens":500{{(events > 0 ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "")}}}""";
        _request = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"""
            POST /v1/chat/completions HTTP/1.1
            Host: 127.0.0.1:{address.Port}
            Accept: application/json
            Authorization: Bearer {Key}
            User-Agent: OpenAI/Python 2.8.0
            X-Stainless-Lang: python
            X-Stainless-Retry-Count: 0
            Content-Type: application/json
            Content-Length: {body.Length}


            """).ReplaceLineEndings("\r\n") + body);
        if (!Ask(_client).StartsWith("HTTP/1.1 200 "u8))
        {
            throw new InvalidOperationException("The proxy did not answer.");
        }
    }

    /// <summary>Through the proxy.</summary>
    /// <returns>Bytes of the answer.</returns>
    public int Proxied() => Ask(_client).Length;

    /// <summary>Past it.</summary>
    /// <returns>Bytes of the answer.</returns>
    public int Direct() => Ask(_direct).Length;

    public void Dispose()
    {
        _client.Dispose();
        _direct.Dispose();
        _app.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _upstream.Dispose();
        _listener.Dispose();
    }

    private ReadOnlySpan<byte> Ask(PlainHttp http)
    {
        http.Send(_request);
        return http.Read();
    }

    private static WebApplication Start(Uri upstream, RequestDelegate? instead)
    {
        var options = new LlmProxyOptions
        {
            Upstreams = { ["main"] = new UpstreamOptions { Url = upstream, ApiKey = "sk-upstream" } },
            Models =
            {
                ["gpt-5"] = new ModelOptions
                {
                    Targets = { new TargetOptions { Upstream = "main", Model = "gpt-5-mini", Price = new PriceOptions { Input = 3, Output = 15, CachedInput = 0.3m } } },
                },
            },
            Groups = { ["team"] = new GroupOptions { RequestsPerMinute = 100_000_000, Budget = new BudgetOptions { Day = 1_000_000 } } },
            Keys = { ["bench"] = new KeyOptions { Key = Key, Group = "team", RequestsPerMinute = 100_000_000, TokensPerMinute = 100_000_000_000, Concurrent = 10_000 } },
        };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddLlmProxy(options);
        var app = builder.Build();
        if (instead is null)
        {
            app.UseLlmProxy();
        }
        else
        {
            app.Run(instead);
        }

        app.StartAsync().GetAwaiter().GetResult();
        return app;
    }

    private void Listen()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == LlmProxyTelemetry.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        _listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
        _listener.Start();
    }
}
