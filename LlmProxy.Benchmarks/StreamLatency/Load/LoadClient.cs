using System.Diagnostics;
using System.Net;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>
/// The client: raw sockets, whose completions run on the one thread that polls them where the runtime was told so. All that
/// connections share is behind <see cref="Gate"/>, which nobody else wants then.
/// </summary>
internal sealed class LoadClient
{
    /// <summary>Beyond the time that a request should take, before it counts as one without an end.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LatencyHistogram _first = new();
    private readonly LatencyHistogram _whole = new();
    private readonly LatencyHistogram _event = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly long _countsFrom;
    private long _lastAnswer;
    private long _requests;
    private long _events;
    private long _refused;
    private long _failed;
    private long _broken;
    private int _running;

    private LoadClient(LoadPlan plan)
    {
        Plan = plan;
        Request = Wire.Request(plan.Port, plan.Stream, plan.Events, plan.Interval);
        Address = new IPEndPoint(IPAddress.Loopback, plan.Port);
        _running = plan.Connections;
        _countsFrom = _started + (long)(plan.WarmUp * Stopwatch.Frequency);
    }

    public LoadPlan Plan { get; }

    public byte[] Request { get; }

    public IPEndPoint Address { get; }

    public Lock Gate { get; } = new();

    private double Elapsed => Stopwatch.GetElapsedTime(_started).TotalSeconds;

    public static async Task<LoadResult> RunAsync(LoadPlan plan)
    {
        // Once by itself and to its end: nothing is compiled here or at the upstream while the load runs.
        await RunOnceAsync(plan with { Connections = 1, Requests = 1, Events = Math.Min(plan.Events, 20), Interval = Math.Min(plan.Interval, 10_000), WarmUp = 0 });
        return await RunOnceAsync(plan);
    }

    private static async Task<LoadResult> RunOnceAsync(LoadPlan plan)
    {
        var client = new LoadClient(plan);
        await client.OpenAsync();
        var expected = Math.Max(plan.Seconds - client.Elapsed, 0) + (1e-6 * plan.Events * plan.Interval);
        await Task.WhenAny(client._ended.Task, Task.Delay(TimeSpan.FromSeconds(expected) + _patience));
        lock (client.Gate)
        {
            return new LoadResult(
                Stopwatch.GetElapsedTime(client._started, client._lastAnswer).TotalSeconds,
                client._requests,
                client._events,
                client._refused,
                client._failed,
                client._broken,
                client._running,
                client._first.Summary(),
                client._whole.Summary(),
                client._event.Summary());
        }
    }

    /// <summary>A connection asks whether it is to send another request; it ends if not.</summary>
    public bool Continues(int sent)
    {
        var continues = Plan.Requests > 0 ? sent < Plan.Requests : Elapsed < Plan.Seconds;
        if (!continues && --_running == 0)
        {
            _ended.TrySetResult();
        }

        return continues;
    }

    /// <summary>Where the times of events go that come now; null while they do not count.</summary>
    public LatencyHistogram? EventLatenciesAt(long now) => now >= _countsFrom ? _event : null;

    public void Answered(ResponseReader answer, long sentAt, long now)
    {
        _lastAnswer = now;
        _requests++;
        _events += answer.Events;
        if (answer.Status != 200)
        {
            _failed++;
        }
        else if (!answer.IsWhole(Plan.Stream, Plan.Events))
        {
            _broken++;
        }
        else if (sentAt >= _countsFrom)
        {
            _first.Add(answer.FirstAt - sentAt);
            _whole.Add(now - sentAt);
        }
    }

    /// <summary>A connection failed; with events of a stream that will have no end.</summary>
    public void Failed(bool isBroken)
    {
        _lastAnswer = Stopwatch.GetTimestamp();
        _requests++;
        if (isBroken)
        {
            _broken++;
        }
        else
        {
            _refused++;
        }
    }

    private async Task OpenAsync()
    {
        for (var opened = 0; opened < Plan.Connections;)
        {
            var next = Math.Min(Plan.Connections, opened + (Plan.Ramp > 0 ? Plan.Ramp : Plan.Connections));
            for (; opened < next; opened++)
            {
                new ClientConnection(this).Open();
            }

            if (opened < Plan.Connections)
            {
                // A pace, so that the queue of connections that nobody has accepted yet does not run over.
                await Task.Delay(10);
            }
        }
    }
}
