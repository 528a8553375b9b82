namespace LlmProxy.Core.Configuration;

/// <summary>The queue in front of an upstream whose places are all taken. Callers are served in turn, each caller's requests in their order.</summary>
public sealed class QueueOptions
{
    /// <summary>Requests that may wait. Default 1000; 0: none waits. One more is answered 503 <c>upstream_saturated</c>.</summary>
    public int Requests { get; set; } = 1000;

    /// <summary>How long one may wait. Default 10 s: after that its client is better told than kept.</summary>
    public TimeSpan Wait { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// The circuit breaker of an upstream. Client aborts and the caller's own mistakes never count, nor does 429, which cools the
/// target by its own header.
/// </summary>
public sealed class BreakerOptions
{
    /// <summary>Fewer requests than this in <see cref="Window"/> say nothing. Default 5: the usual 100 in 30 s never come together at the rates of language models. At least 2.</summary>
    public int Requests { get; set; } = 5;

    /// <summary>It opens when this share of them failed, in percent, 1 to 100. Default 50.</summary>
    public int FailurePercent { get; set; } = 50;

    /// <summary>The time looked back on. Default 30 s; 0 switches the breaker off. Else 500 ms to 24 h.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the upstream is left alone at first; then one request is the probe. Default 10 s. 500 ms to 24 h.</summary>
    public TimeSpan OpenFor { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Each probe that fails doubles the time, up to this. Default 2 min.</summary>
    public TimeSpan LongestOpen { get; set; } = TimeSpan.FromMinutes(2);
}

/// <summary>Health checks of an upstream that are no client's request.</summary>
public sealed class ProbeOptions
{
    /// <summary>The time between two. Default 30 s.</summary>
    public TimeSpan Every { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one may take. Default 5 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A model that is asked for a completion of one token, which costs money and finds more. Default null: <c>GET /models</c>, or
    /// what the kind has instead.
    /// </summary>
    public string? Model { get; set; }
}

/// <summary>What happens when a target fails before it has answered.</summary>
public sealed class FailoverOptions
{
    /// <summary>
    /// When every target of a model is out, the one that has been out longest is tried all the same. Default true: a breaker is a
    /// guess, and an answer is better than a refusal.
    /// </summary>
    public bool FailOpen { get; set; } = true;

    /// <summary>
    /// Attempts beyond a request's first, in percent of a model's requests in the last 10 s. Default 20: when everything fails, the
    /// upstreams must not get several times the load. Attempts of which no byte left us are free.
    /// </summary>
    public int BudgetPercent { get; set; } = 20;

    /// <summary>Attempts that are allowed on top of <see cref="BudgetPercent"/>, in 10 s. Default 10.</summary>
    public int BudgetLeast { get; set; } = 10;
}

/// <summary>A second target is asked when the first is slow, and the first to speak is taken.</summary>
public sealed class HedgeOptions
{
    /// <summary>The silence after which the second is asked. Default null: the 95th percentile of the model's own time to its first event.</summary>
    public TimeSpan? After { get; set; }

    /// <summary>Requests that may be hedged, in percent of the model's. Default 5.</summary>
    public int BudgetPercent { get; set; } = 5;
}

/// <summary>A share of a model's requests also goes to another target, whose answer nobody gets.</summary>
public sealed class MirrorOptions
{
    /// <summary>Where it goes.</summary>
    public TargetOptions Target { get; set; } = new();

    /// <summary>How much of the traffic, in percent, 1 to 100. Default 100.</summary>
    public int Percent { get; set; } = 100;
}

/// <summary>Clocks of one model, in place of those of its upstreams. Null: the upstream's.</summary>
public sealed class ModelTimeoutOptions
{
    /// <summary>See <see cref="TimeoutOptions.FirstEvent"/>.</summary>
    public TimeSpan? FirstEvent { get; set; }

    /// <summary>See <see cref="TimeoutOptions.Idle"/>.</summary>
    public TimeSpan? Idle { get; set; }

    /// <summary>See <see cref="TimeoutOptions.Response"/>.</summary>
    public TimeSpan? Response { get; set; }

    /// <summary>See <see cref="TimeoutOptions.Total"/>.</summary>
    public TimeSpan? Total { get; set; }

    /// <summary>See <see cref="TimeoutOptions.Heartbeat"/>.</summary>
    public TimeSpan? Heartbeat { get; set; }
}
