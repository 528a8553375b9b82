namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Upstreams</c>.</summary>
internal static class UpstreamTable
{
    private static readonly ObjectShape<TimeoutOptions> Timeouts = new(
        static () => new TimeoutOptions(),
        [
            Clock("Connect", static (o, v) => o.Connect = v),
            Clock("FirstEvent", static (o, v) => o.FirstEvent = v),
            Clock("Idle", static (o, v) => o.Idle = v),
            Clock("Response", static (o, v) => o.Response = v),
            Clock("Total", static (o, v) => o.Total = v),
            Clock("Heartbeat", static (o, v) => o.Heartbeat = v),
            Clock("StalledReader", static (o, v) => o.StalledReader = v),
        ]);

    public static ObjectShape<UpstreamOptions> Shape { get; } = new(
        static () => new UpstreamOptions(),
        [
            new Member<UpstreamOptions, UpstreamKind>(
                "Kind", new ChoiceShape<UpstreamKind>([.. UpstreamKinds.Names]), static (o, v) => o.Kind = v),
            new Member<UpstreamOptions, Uri>("Url", AddressShape.Instance, static (o, v) => o.Url = v),
            new Member<UpstreamOptions, string>("ApiVersion", TextShape.Instance, static (o, v) => o.ApiVersion = v),
            new Member<UpstreamOptions, string>("ApiKey", new SecretShape(static path => Places.LastName(Places.Parent(path)) + "_API_KEY"), static (o, v) => o.ApiKey = v),
            new Member<UpstreamOptions, TimeoutOptions>("Timeouts", Timeouts, static (o, v) => o.Timeouts = v),
            Collections.Texts<UpstreamOptions>("Operations", static o => o.Operations),
            Collections.Headers<UpstreamOptions>("Headers", static o => o.Headers),
            new Member<UpstreamOptions, Version>("HttpVersion", HttpVersionShape.Instance, static (o, v) => o.HttpVersion = v),
            new Member<UpstreamOptions, string>("Proxy", TextShape.Instance, static (o, v) => o.Proxy = v),
            new Member<UpstreamOptions, string>("CaFile", TextShape.Instance, static (o, v) => o.CaFile = v),
            new Member<UpstreamOptions, bool>("RequireFinishReason", SwitchShape.Instance, static (o, v) => o.RequireFinishReason = v),
            new Member<UpstreamOptions, bool>("IncludeUsage", SwitchShape.Instance, static (o, v) => o.IncludeUsage = v),
            new Member<UpstreamOptions, bool>("AllowLinkLocal", SwitchShape.Instance, static (o, v) => o.AllowLinkLocal = v),
            Collections.Texts<UpstreamOptions>("Tags", static o => o.Tags),
            new Member<UpstreamOptions, int>("Concurrent", WholeNumberShape.Instance, static (o, v) => o.Concurrent = v),
            new Member<UpstreamOptions, QueueOptions>("Queue", ResilienceTable.Queue, static (o, v) => o.Queue = v),
            new Member<UpstreamOptions, BreakerOptions>("Breaker", ResilienceTable.Breaker, static (o, v) => o.Breaker = v),
            new Member<UpstreamOptions, ProbeOptions>("Probe", ResilienceTable.Probe, static (o, v) => o.Probe = v),
        ])
    { IsNamedByOperator = true };

    private static Member<TimeoutOptions, TimeSpan> Clock(string name, Action<TimeoutOptions, TimeSpan> set) => new(name, DurationShape.Instance, set);
}
