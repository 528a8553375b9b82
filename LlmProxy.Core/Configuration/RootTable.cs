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
            new Member<LimitOptions, RevokedKey>(
                "RevokedKey", new ChoiceShape<RevokedKey>([("Finish", RevokedKey.Finish), ("Cut", RevokedKey.Cut)]), static (o, v) => o.RevokedKey = v),
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
            new Member<LlmProxyOptions, StoreOptions>("Store", StoreShape.Instance, static (o, v) => o.Store = v),
            new Member<LlmProxyOptions, string>("Contact", TextShape.Instance, static (o, v) => o.Contact = v),
            Collections.Map<LlmProxyOptions, UpstreamOptions>("Upstreams", new(UpstreamTable.Shape, static () => new()), static o => o.Upstreams),
            Collections.Map<LlmProxyOptions, ModelOptions>("Models", new(ModelShape.Instance, static () => new()), static o => o.Models),
            Collections.Map<LlmProxyOptions, GroupOptions>("Groups", new(CallerTable.Group, static () => new()), static o => o.Groups),
            Collections.Map<LlmProxyOptions, KeyOptions>("Keys", new(CallerTable.Key, static () => new()), static o => o.Keys),
            new Member<LlmProxyOptions, AdminOptions>("Admin", AdminTable.Shape, static (o, v) => o.Admin = v),
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
