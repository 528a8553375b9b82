namespace LlmProxy.Core.Configuration;

/// <summary>Clocks of an upstream. <see cref="TimeSpan.Zero"/> switches one off.</summary>
public sealed class TimeoutOptions
{
    /// <summary>To a connection. Default 5 s: a host that has not answered by then is down, and another may be asked.</summary>
    public TimeSpan Connect { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>From the request to the first event with output, streams only. Default 10 min: reasoning models are silent while they think.</summary>
    public TimeSpan FirstEvent { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Between two reads of a stream. Default 5 min.</summary>
    public TimeSpan Idle { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>To the whole of an answer without a stream. Default 15 min.</summary>
    public TimeSpan Response { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Of everything, failovers included. Default 1 h.</summary>
    public TimeSpan Total { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Silence after which a stream's client gets a comment so that nothing between us gives up. Default 15 s.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Time without progress after which a client that does not read is cut. Default 60 s.</summary>
    public TimeSpan StalledReader { get; set; } = TimeSpan.FromSeconds(60);
}
