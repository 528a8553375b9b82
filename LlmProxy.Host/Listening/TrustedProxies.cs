using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace LlmProxy.Host.Listening;

/// <summary>Proxies in front of this one, whose <c>X-Forwarded-For</c> is believed: by it those who try keys are told apart. Nobody else's is.</summary>
internal static class TrustedProxies
{
    public static void Add(IServiceCollection services, IList<string> networks) => services.Configure<ForwardedHeadersOptions>(forwarded =>
    {
        // Ours alone: without this, whoever comes from loopback is believed as well.
        forwarded.KnownIPNetworks.Clear();
        forwarded.KnownProxies.Clear();
        forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor;
        forwarded.ForwardLimit = null;
        foreach (var network in networks)
        {
            if (IPAddress.TryParse(network, out var address))
            {
                forwarded.KnownProxies.Add(address);
            }
            else
            {
                forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
            }
        }
    });

    /// <summary>Puts it into the pipeline, where there are any.</summary>
    public static void Use(WebApplication app)
    {
        var forwarded = app.Services.GetRequiredService<IOptions<ForwardedHeadersOptions>>().Value;
        if (forwarded.KnownIPNetworks.Count + forwarded.KnownProxies.Count > 0 && forwarded.ForwardedHeaders == ForwardedHeaders.XForwardedFor)
        {
            app.UseForwardedHeaders();
        }
    }
}
