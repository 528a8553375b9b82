using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Support;

/// <summary>What a test wants of the proxy before it starts. What only an app in process can do is a member named so.</summary>
public sealed class ProxySetup
{
    /// <summary>Starts from one upstream, two models and two callers.</summary>
    public ProxySetup(Uri upstream)
    {
        Options.Upstreams["main"] = Upstream(upstream);
        Options.Models["gpt-4o-mini"] = Model("main", Chat.UpstreamModel);
        Options.Models["text-embedding-3-small"] = Model("main", "upstream-embedder");
        Options.Keys["tester"] = new KeyOptions { Key = Canary.ClientKey };
        Options.Keys["other"] = new KeyOptions { Key = Canary.OtherClientKey };
    }

    public LlmProxyOptions Options { get; } = new();

    public UpstreamOptions Main => Options.Upstreams["main"];

    public ModelOptions Mini => Options.Models["gpt-4o-mini"];

    /// <summary>The app reads its options from a file, as the executable always does, which a test may then write anew.</summary>
    public bool IsFromFile { get; set; }

    /// <summary>The clock that the app gets instead of the system's; in process only.</summary>
    public FakeTimeProvider? Clock { get; private set; }

    /// <summary>More services; in process only.</summary>
    public Action<IServiceCollection>? Services { get; set; }

    /// <summary>Where the operations stand; another than the default in process only.</summary>
    public string Prefix { get; set; } = "/v1";

    /// <summary>Puts the proxy and whatever else into the pipeline; in process only. Default: <c>UseLlmProxy()</c> alone.</summary>
    public Action<WebApplication>? Pipeline { get; set; }

    /// <summary>Says what the app's port speaks; in process only. Default: HTTP/1.1 without TLS.</summary>
    public Action<Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions>? Listen { get; set; }

    /// <summary>True if only an app in process can do what is asked.</summary>
    public bool IsInProcessOnly =>
        Clock is not null || Prefix != "/v1" || Services is not null || Pipeline is not null || Listen is not null || Options.HostIdentity is not null;

    public static UpstreamOptions Upstream(Uri url) => new() { Url = url, ApiKey = Canary.UpstreamKey };

    public static ModelOptions Model(string upstream, string model) => new() { Targets = { new TargetOptions { Upstream = upstream, Model = model } } };

    /// <summary>Time then stands still but for what the test advances it by.</summary>
    public FakeTimeProvider UseFakeClock() => Clock ??= new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));

    internal void Mount(WebApplication app)
    {
        if (Pipeline is null)
        {
            app.UseLlmProxy(Prefix);
        }
        else
        {
            Pipeline(app);
        }
    }
}
