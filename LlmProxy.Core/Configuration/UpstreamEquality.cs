namespace LlmProxy.Core.Configuration;

/// <summary>
/// Whether two upstreams are written alike in everything. What is the same after a reload keeps its connections and all that
/// was learnt of it, so a difference that is missed here would never take effect: a test changes every property in turn.
/// </summary>
internal static class UpstreamEquality
{
    public static bool Same(UpstreamOptions a, UpstreamOptions b) =>
        a.Kind == b.Kind
        && Same(a.Url, b.Url)
        && a.ApiKey == b.ApiKey
        && a.ApiVersion == b.ApiVersion
        && a.CaFile == b.CaFile
        && Same(a.Timeouts, b.Timeouts)
        && a.Operations.SequenceEqual(b.Operations)
        && Same(a.Headers, b.Headers)
        && a.HttpVersion == b.HttpVersion
        && a.Proxy == b.Proxy
        && a.RequireFinishReason == b.RequireFinishReason
        && a.IncludeUsage == b.IncludeUsage
        && a.AllowLinkLocal == b.AllowLinkLocal
        && a.Tags.SequenceEqual(b.Tags)
        && a.Concurrent == b.Concurrent
        && Same(a.Queue, b.Queue)
        && Same(a.Breaker, b.Breaker)
        && Same(a.Probe, b.Probe);

    private static bool Same(TimeoutOptions a, TimeoutOptions b) =>
        a.Connect == b.Connect
        && a.FirstEvent == b.FirstEvent
        && a.Idle == b.Idle
        && a.Response == b.Response
        && a.Total == b.Total
        && a.Heartbeat == b.Heartbeat
        && a.StalledReader == b.StalledReader;

    private static bool Same(QueueOptions a, QueueOptions b) => a.Requests == b.Requests && a.Wait == b.Wait;

    private static bool Same(BreakerOptions a, BreakerOptions b) =>
        a.Requests == b.Requests
        && a.FailurePercent == b.FailurePercent
        && a.Window == b.Window
        && a.OpenFor == b.OpenFor
        && a.LongestOpen == b.LongestOpen;

    private static bool Same(ProbeOptions? a, ProbeOptions? b) =>
        a is null || b is null ? ReferenceEquals(a, b) : a.Every == b.Every && a.Timeout == b.Timeout && a.Model == b.Model;

    // Two addresses that differ in their user name alone are equal to Uri.
    private static bool Same(Uri? a, Uri? b) => a?.OriginalString == b?.OriginalString;

    private static bool Same(IDictionary<string, string> a, IDictionary<string, string> b) =>
        a.Count == b.Count && a.All(entry => b.TryGetValue(entry.Key, out var other) && other == entry.Value);
}
