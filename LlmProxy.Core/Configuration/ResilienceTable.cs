namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under the members that say how failing, slow and full upstreams are dealt with.</summary>
internal static class ResilienceTable
{
    public static ObjectShape<QueueOptions> Queue { get; } = new(
        static () => new QueueOptions(),
        [
            new Member<QueueOptions, int>("Requests", WholeNumberShape.Instance, static (o, v) => o.Requests = v),
            new Member<QueueOptions, TimeSpan>("Wait", DurationShape.Instance, static (o, v) => o.Wait = v),
        ]);

    public static ObjectShape<BreakerOptions> Breaker { get; } = new(
        static () => new BreakerOptions(),
        [
            new Member<BreakerOptions, int>("Requests", WholeNumberShape.Instance, static (o, v) => o.Requests = v),
            new Member<BreakerOptions, int>("FailurePercent", WholeNumberShape.Instance, static (o, v) => o.FailurePercent = v),
            new Member<BreakerOptions, TimeSpan>("Window", DurationShape.Instance, static (o, v) => o.Window = v),
            new Member<BreakerOptions, TimeSpan>("OpenFor", DurationShape.Instance, static (o, v) => o.OpenFor = v),
            new Member<BreakerOptions, TimeSpan>("LongestOpen", DurationShape.Instance, static (o, v) => o.LongestOpen = v),
        ]);

    public static ObjectShape<ProbeOptions> Probe { get; } = new(
        static () => new ProbeOptions(),
        [
            new Member<ProbeOptions, TimeSpan>("Every", DurationShape.Instance, static (o, v) => o.Every = v),
            new Member<ProbeOptions, TimeSpan>("Timeout", DurationShape.Instance, static (o, v) => o.Timeout = v),
            new Member<ProbeOptions, string>("Model", TextShape.Instance, static (o, v) => o.Model = v),
        ]);

    public static ObjectShape<FailoverOptions> Failover { get; } = new(
        static () => new FailoverOptions(),
        [
            new Member<FailoverOptions, bool>("FailOpen", SwitchShape.Instance, static (o, v) => o.FailOpen = v),
            new Member<FailoverOptions, int>("BudgetPercent", WholeNumberShape.Instance, static (o, v) => o.BudgetPercent = v),
            new Member<FailoverOptions, int>("BudgetLeast", WholeNumberShape.Instance, static (o, v) => o.BudgetLeast = v),
        ]);

    public static ObjectShape<HedgeOptions> Hedge { get; } = new(
        static () => new HedgeOptions(),
        [
            new Member<HedgeOptions, TimeSpan>("After", DurationShape.Instance, static (o, v) => o.After = v),
            new Member<HedgeOptions, int>("BudgetPercent", WholeNumberShape.Instance, static (o, v) => o.BudgetPercent = v),
        ]);

    public static ObjectShape<MirrorOptions> Mirror { get; } = new(
        static () => new MirrorOptions(),
        [
            new Member<MirrorOptions, TargetOptions>("Target", TargetShape.Instance, static (o, v) => o.Target = v),
            new Member<MirrorOptions, int>("Percent", WholeNumberShape.Instance, static (o, v) => o.Percent = v),
        ]);

    public static ObjectShape<ModelTimeoutOptions> ModelTimeouts { get; } = new(
        static () => new ModelTimeoutOptions(),
        [
            new Member<ModelTimeoutOptions, TimeSpan>("FirstEvent", DurationShape.Instance, static (o, v) => o.FirstEvent = v),
            new Member<ModelTimeoutOptions, TimeSpan>("Idle", DurationShape.Instance, static (o, v) => o.Idle = v),
            new Member<ModelTimeoutOptions, TimeSpan>("Response", DurationShape.Instance, static (o, v) => o.Response = v),
            new Member<ModelTimeoutOptions, TimeSpan>("Total", DurationShape.Instance, static (o, v) => o.Total = v),
            new Member<ModelTimeoutOptions, TimeSpan>("Heartbeat", DurationShape.Instance, static (o, v) => o.Heartbeat = v),
        ]);
}
