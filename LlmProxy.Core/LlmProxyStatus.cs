using System.Text.Json;
using LlmProxy.Core.Admin;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>What has become of an upstream.</summary>
public enum UpstreamCondition
{
    /// <summary>It is asked.</summary>
    Ok,

    /// <summary>Its circuit breaker is open: too many requests failed. After a while one of them is its probe.</summary>
    Open,

    /// <summary>It refuses our key (401). After a while one request is its probe.</summary>
    Refused,

    /// <summary>The account has nothing left to spend. After a while one request is its probe.</summary>
    QuotaGone,

    /// <summary>Its health checks fail. The first that succeeds brings it back.</summary>
    ProbeFailing,
}

/// <summary>A model that is left alone at one upstream, while the others there are not.</summary>
/// <param name="Model">Its name at the upstream, at most 64 characters.</param>
/// <param name="Reason"><c>rate_limited</c>, <c>failed</c>, <c>forbidden</c> (403) or <c>unknown</c> (404).</param>
/// <param name="Until">When it may be asked for again.</param>
public sealed record ModelPause(string Model, string Reason, DateTimeOffset Until);

/// <summary>What is known of one upstream now.</summary>
public sealed class UpstreamStatus
{
    /// <summary>As configured.</summary>
    public required string Name { get; init; }

    /// <summary>What has become of it.</summary>
    public required UpstreamCondition Condition { get; init; }

    /// <summary>When a request or a health check will find out whether that still holds; null for <see cref="UpstreamCondition.Ok"/>.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Requests that are there now.</summary>
    public int InFlight { get; init; }

    /// <summary>Requests that wait for a place there.</summary>
    public int Waiting { get; init; }

    /// <summary>Times that it has refused our credentials (401 or 403) since the start, or since its configuration changed.</summary>
    public long Refusals { get; init; }

    /// <summary>Models that are left alone there, at most 100.</summary>
    public IReadOnlyList<ModelPause> Pauses { get; init; } = [];
}

/// <summary>How the upstreams are: for health pages and dashboards. Resolve it from DI.</summary>
public sealed class LlmProxyStatus
{
    private const int MostPauses = 100;

    private readonly Func<IReadOnlyList<Upstream>> _upstreams;
    private readonly LiveStates _states;
    private readonly TimeProvider _time;

    // When the milliseconds of the live states began, in ticks of UTC.
    private long _origin;

    internal LlmProxyStatus(Func<IReadOnlyList<Upstream>> upstreams, LiveStates states, TimeProvider time)
    {
        _upstreams = upstreams;
        _states = states;
        _time = time;
    }

    /// <summary>Looks at every configured upstream, in the order of their configuration.</summary>
    public IReadOnlyList<UpstreamStatus> GetUpstreams() => [.. _upstreams().Select(upstream => Look(_states.Of(upstream)))];

    /// <summary>Writes them as the member <c>upstreams</c> of the object that is being written, by their names.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        UpstreamsJson.Write(json, GetUpstreams());
    }

    private UpstreamStatus Look(UpstreamState state)
    {
        var now = Clock.Ms(_time);
        FindOrigin(now);
        var (condition, until) = state.AccountCause(now) switch
        {
            FailureCause.KeyRefused => (UpstreamCondition.Refused, state.AccountUntil),
            FailureCause.QuotaGone => (UpstreamCondition.QuotaGone, state.AccountUntil),
            _ when state.Check.IsFailing => (UpstreamCondition.ProbeFailing, state.Check.NextAt),
            _ when state.Breaker.IsOpen => (UpstreamCondition.Open, state.Breaker.BrokenUntil),
            _ => (UpstreamCondition.Ok, 0L),
        };
        return new UpstreamStatus
        {
            Name = state.Name,
            Condition = condition,
            Until = condition == UpstreamCondition.Ok ? null : At(until),
            InFlight = state.Places.Taken,
            Waiting = state.Places.Waiting,
            Refusals = state.Refusals,
            Pauses = [.. state.CoolingModels(now).Take(MostPauses).Select(p => new ModelPause(DisplayText.Name(p.Model), WordOf(p.Cause), At(p.Until)))],
        };
    }

    private DateTimeOffset At(long until) => new DateTimeOffset(Volatile.Read(ref _origin), TimeSpan.Zero).AddMilliseconds(until);

    // Kept, so that a time is the same at every look; anew when the time of the day was set.
    private void FindOrigin(long now)
    {
        var found = _time.GetUtcNow().AddMilliseconds(-now).UtcTicks;
        if (Math.Abs(found - Volatile.Read(ref _origin)) > TimeSpan.TicksPerSecond)
        {
            Volatile.Write(ref _origin, found);
        }
    }

    private static string WordOf(FailureCause cause) => cause switch
    {
        FailureCause.RateLimited => "rate_limited",
        FailureCause.ModelForbidden => "forbidden",
        FailureCause.ModelUnknown => "unknown",
        _ => "failed",
    };
}
