using System.Globalization;
using LlmProxy.Benchmarks.StreamLatency.Load;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Transforms;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>An application with YARP, which checks the key as nginx does and passes on.</summary>
internal static class YarpApp
{
    public static Task RunAsync(int port, int upstreamPort)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
        var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{upstreamPort}");
        builder.Services.AddReverseProxy()
            .LoadFromMemory(
                [new RouteConfig { RouteId = "all", ClusterId = "up", Match = new RouteMatch { Path = "/{**rest}" } }],
                [new ClusterConfig { ClusterId = "up", Destinations = new Dictionary<string, DestinationConfig> { ["up"] = new() { Address = address } } }])
            .AddTransforms(static transforms => transforms.AddRequestHeader("Authorization", "Bearer " + Wire.UpstreamKey, append: false));
        var app = builder.Build();
        app.Use(static (http, next) =>
        {
            if (http.Request.Headers.Authorization == "Bearer " + Wire.ClientKey)
            {
                return next(http);
            }

            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        });
        app.MapReverseProxy();
        return app.RunAsync();
    }
}
