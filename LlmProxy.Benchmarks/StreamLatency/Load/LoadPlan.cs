namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>What the client does.</summary>
/// <param name="Port">On loopback.</param>
/// <param name="Connections">Each sends one request after another.</param>
/// <param name="Stream">Streams are asked for, else JSON.</param>
/// <param name="Events">Of each stream.</param>
/// <param name="Interval">Between two events, in microseconds; 0: all at once.</param>
/// <param name="Requests">Per connection; 0: until the time is over.</param>
/// <param name="Seconds">After which no request begins any more; those that run are waited for.</param>
/// <param name="WarmUp">Seconds at the beginning of which latencies do not count.</param>
/// <param name="Ramp">Connections opened every 10 ms; 0: all at once.</param>
internal sealed record LoadPlan(
    int Port, int Connections, bool Stream, int Events, int Interval, int Requests, double Seconds, double WarmUp, int Ramp);

/// <summary>What came of it.</summary>
/// <param name="Seconds">From the first connection to the last answer.</param>
/// <param name="Requests">That were answered, right or not.</param>
/// <param name="Events">That came.</param>
/// <param name="Refused">Connections that failed or ended without an answer.</param>
/// <param name="Failed">Answers with another status than 200.</param>
/// <param name="Broken">Answers that were not whole: <c>[DONE]</c> or events missing, or no HTTP.</param>
/// <param name="Unfinished">Requests that had no end when the client had waited long enough.</param>
/// <param name="First">From a request to the first byte of its body.</param>
/// <param name="Whole">From a request to the end of its answer.</param>
/// <param name="Event">From the upstream's write to the client's read.</param>
internal sealed record LoadResult(
    double Seconds,
    long Requests,
    long Events,
    long Refused,
    long Failed,
    long Broken,
    long Unfinished,
    LatencySummary First,
    LatencySummary Whole,
    LatencySummary Event)
{
    public long Errors => Refused + Failed + Broken + Unfinished;
}
