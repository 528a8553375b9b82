using System.Globalization;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>An application with the proxy as its middleware.</summary>
internal static class LibraryApp
{
    public static Task RunAsync(int port, int upstreamPort)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
        builder.AddLlmProxy(new LlmProxyOptions
        {
            Upstreams =
            {
                ["up"] = new UpstreamOptions
                {
                    Url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{upstreamPort}/v1")),
                    ApiKey = Wire.UpstreamKey,
                },
            },
            Models = { [Wire.Model] = new ModelOptions { Targets = { new TargetOptions { Upstream = "up", Model = Wire.UpstreamModel } } } },
            Keys =
            {
                ["bench"] = new KeyOptions
                {
                    Hash = ApiKeys.Hash(Wire.ClientKey),
                    RequestsPerMinute = 1_000_000_000,
                    TokensPerMinute = 1_000_000_000_000,
                    Concurrent = 1_000_000,
                },
            },
        });
        var app = builder.Build();
        app.UseLlmProxy();
        return app.RunAsync();
    }
}
