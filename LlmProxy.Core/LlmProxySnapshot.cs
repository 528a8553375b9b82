using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>One generation of the configuration, compiled. A request takes one and keeps it to its end.</summary>
internal sealed class LlmProxySnapshot
{
    /// <param name="options">Validated.</param>
    public LlmProxySnapshot(LlmProxyOptions options)
    {
        Options = options;
        Routes = RouteTableCompiler.Compile(options);
        Keys = new KeyRing(options, RouteTableCompiler.AliasResolver(options));
    }

    public LlmProxyOptions Options { get; }

    public RouteTable Routes { get; }

    public KeyRing Keys { get; }
}

/// <summary>Holds the snapshot in force; swapped whole.</summary>
internal sealed class LlmProxySnapshots(LlmProxySnapshot first)
{
    private LlmProxySnapshot _current = first;

    public LlmProxySnapshot Current
    {
        get => Volatile.Read(ref _current);
        set => Volatile.Write(ref _current, value);
    }

    /// <summary>The upstream of that name in the generation in force.</summary>
    public Upstream? FindUpstream(string name) => Current.Routes.Upstreams.FirstOrDefault(u => u.Name == name);
}
