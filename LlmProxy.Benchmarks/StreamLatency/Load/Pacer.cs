using System.Diagnostics;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Sends the events of all streams, each when it is due, from one thread.</summary>
internal sealed class Pacer
{
    /// <summary>Streams that get their events at the same moment, as those do that a model's server computes together.</summary>
    private const int Together = 4;

    /// <summary>From one such moment to the next, in intervals: by the golden section each that is added falls into one of the widest gaps.</summary>
    private const double Step = 0.618033988749895;

    private readonly PriorityQueue<(UpstreamConnection Connection, long Interval), long> _due = new();
    private int _added;

    public Pacer() => new Thread(Run) { IsBackground = true, Name = "pacer" }.Start();

    /// <param name="connection">Its first event is due in one interval to two: at a moment that is not left to luck, which would decide how many events wait for one another.</param>
    /// <param name="microseconds">Between two events.</param>
    public void Add(UpstreamConnection connection, int microseconds)
    {
        var interval = microseconds * Stopwatch.Frequency / 1_000_000;
        lock (_due)
        {
            var phase = (long)(interval * (_added++ / Together * Step % 1));
            var now = Stopwatch.GetTimestamp();
            _due.Enqueue((connection, interval), now + (2 * interval) - ((now - phase) % interval));
            Monitor.Pulse(_due);
        }
    }

    private void Run()
    {
        var scratch = new byte[Wire.EventLength];
        while (true)
        {
            (UpstreamConnection Connection, long Interval) next;
            long due;
            lock (_due)
            {
                while (!_due.TryPeek(out next, out due))
                {
                    Monitor.Wait(_due);
                }

                if (due <= Stopwatch.GetTimestamp())
                {
                    _due.Dequeue();
                }
                else
                {
                    next = default;
                }
            }

            if (next.Connection is null)
            {
                // An interval is longer than this sleep may be, so nothing that is added meanwhile is due before its end.
                FineSleep.For(Math.Min(due - Stopwatch.GetTimestamp(), Stopwatch.Frequency / 1000));
            }
            else if (next.Connection.Advance(scratch))
            {
                lock (_due)
                {
                    _due.Enqueue(next, due + next.Interval);
                }
            }
        }
    }
}
