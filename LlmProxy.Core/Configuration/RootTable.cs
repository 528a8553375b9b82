using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>The whole of what an operator may write.</summary>
internal static class RootTable
{
    private static readonly ObjectShape<ListenOptions> Listen = new(
        static () => new ListenOptions(),
        [
            new Member<ListenOptions, string>("Api", TextShape.Instance, static (o, v) => o.Api = v),
            new Member<ListenOptions, string>("Admin", TextShape.Instance, static (o, v) => o.Admin = v),
            new Member<ListenOptions, string>("Certificate", TextShape.Instance, static (o, v) => o.Certificate = v),
            Collections.Texts<ListenOptions>("TrustedProxies", static o => o.TrustedProxies),
        ]);

    private static readonly ObjectShape<LimitOptions> Limits = new(
        static () => new LimitOptions(),
        [
            new Member<LimitOptions, long>("RequestBody", LongSizeShape.Instance, static (o, v) => o.RequestBody = v),
            new Member<LimitOptions, long>("AllRequestBodies", LongSizeShape.Instance, static (o, v) => o.AllRequestBodies = v),
            new Member<LimitOptions, TimeSpan>("BodyTime", DurationShape.Instance, static (o, v) => o.BodyTime = v),
            new Member<LimitOptions, int>("Concurrent", WholeNumberShape.Instance, static (o, v) => o.Concurrent = v),
            new Member<LimitOptions, int>("Event", BufferSizeShape.Instance, static (o, v) => o.Event = v),
            new Member<LimitOptions, int>("HeldAnswer", BufferSizeShape.Instance, static (o, v) => o.HeldAnswer = v),
        ]);

    private static readonly ObjectShape<ShutdownOptions> Shutdown = new(
        static () => new ShutdownOptions(),
        [
            new Member<ShutdownOptions, TimeSpan>("Pause", DurationShape.Instance, static (o, v) => o.Pause = v),
            new Member<ShutdownOptions, TimeSpan>("Deadline", DurationShape.Instance, static (o, v) => o.Deadline = v),
        ]);

    private static readonly ObjectShape<CorsOptions> Cors = new(
        static () => new CorsOptions(),
        [Collections.Texts<CorsOptions>("Origins", static o => o.Origins)]);

    public static ObjectShape<LlmProxyOptions> Shape { get; } = new(
        static () => new LlmProxyOptions(),
        [
            new IgnoredMember<LlmProxyOptions>("$schema"),
            new Member<LlmProxyOptions, ListenOptions>("Listen", Listen, static (o, v) => o.Listen = v),
            new Member<LlmProxyOptions, bool>("Store", StoreShape.Instance, static (_, _) => { }),
            new Member<LlmProxyOptions, string>("Contact", TextShape.Instance, static (o, v) => o.Contact = v),
            Collections.Map<LlmProxyOptions, UpstreamOptions>("Upstreams", new(UpstreamTable.Shape, static () => new()), static o => o.Upstreams),
            Collections.Map<LlmProxyOptions, ModelOptions>("Models", new(ModelShape.Instance, static () => new()), static o => o.Models),
            Collections.Map<LlmProxyOptions, GroupOptions>("Groups", new(CallerTable.Group, static () => new()), static o => o.Groups),
            Collections.Map<LlmProxyOptions, KeyOptions>("Keys", new(CallerTable.Key, static () => new()), static o => o.Keys),
            new Member<LlmProxyOptions, string>("TimeZone", TextShape.Instance, static (o, v) => o.TimeZone = v),
            Collections.Map<LlmProxyOptions, PriceOptions>("Prices", new(PriceTable.Shape, static () => new()), static o => o.Prices),
            new Member<LlmProxyOptions, UnpricedModels>(
                "UnpricedModels",
                new ChoiceShape<UnpricedModels>([("Refuse", UnpricedModels.Refuse), ("Allow", UnpricedModels.Allow)]),
                static (o, v) => o.UnpricedModels = v),
            new Member<LlmProxyOptions, bool>("AllowAnonymous", SwitchShape.Instance, static (o, v) => o.AllowAnonymous = v),
            new Member<LlmProxyOptions, HostIdentityOptions>("HostIdentity", CallerTable.HostIdentity, static (o, v) => o.HostIdentity = v),
            new Member<LlmProxyOptions, bool>("RevealForbiddenModels", SwitchShape.Instance, static (o, v) => o.RevealForbiddenModels = v),
            new Member<LlmProxyOptions, LimitOptions>("Limits", Limits, static (o, v) => o.Limits = v),
            new Member<LlmProxyOptions, FailoverOptions>("Failover", ResilienceTable.Failover, static (o, v) => o.Failover = v),
            new Member<LlmProxyOptions, ShutdownOptions>("Shutdown", Shutdown, static (o, v) => o.Shutdown = v),
            new Member<LlmProxyOptions, CorsOptions>("Cors", Cors, static (o, v) => o.Cors = v),
        ]);
}

/// <summary>Where keys and usage are kept. This version keeps nothing, and says so to whoever counts on more.</summary>
internal sealed class StoreShape : Shape<bool>
{
    private const string None = "None";

    public static StoreShape Instance { get; } = new();

    public override string Expected => "\"None\"";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out bool value)
    {
        value = true;
        var kind = node.Kind == JsonValueKind.Object
            ? node.Children.Where(static c => c.Name == "Kind").Select(static c => c.Node).FirstOrDefault()
            : node;
        if (kind is null || kind.Kind != JsonValueKind.String)
        {
            return Mismatch(kind ?? node, reading, out value);
        }

        if (kind.Text != None)
        {
            reading.Refuse(kind, "a store is not in this version. Write \"None\", or leave Store out: keys then come from this configuration only.");
            return false;
        }

        foreach (var (name, other) in node.Children.Where(static c => c.Name != "Kind"))
        {
            reading.Refuse(other, $"{Problems.Quote(name)} means nothing for the store \"None\". Leave it out.");
        }

        return node.Children.Count <= 1;
    }
}
