using LlmProxy.Core.Balancing;

namespace LlmProxy.Tests.Balancing;

/// <summary>Streams that arrive at random and are answered after a time, on a clock that a test moves.</summary>
/// <param name="choosing">Who chooses.</param>
/// <param name="speech">Milliseconds to the first event at an upstream, before chance.</param>
/// <param name="perSecond">Arrivals.</param>
internal sealed class Traffic(Choosing choosing, Func<string, double> speech, double perSecond)
{
    private const double StreamMs = 800;
    private readonly Random _random = new(7);
    private readonly PriorityQueue<(Candidate At, double Began, bool Ends), double> _events = new();
    private double _now;

    /// <summary>How long each waited for its first event, and where.</summary>
    public List<(string At, double Waited)> Waits { get; } = [];

    public Traffic Run(int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            var arrival = _now + (-Math.Log(1 - _random.NextDouble()) * 1000 / perSecond);
            Play(arrival);
            var at = choosing.Choose("""{"model":"m","stream":true}""");
            at.Load.Begin(streams: true);
            _events.Enqueue((at, _now, false), _now + (speech(at.Target.Upstream.Name) * (0.5 + _random.NextDouble())));
        }

        return this;
    }

    public double Percentile99() => Waits.Select(w => w.Waited).Order().ElementAt(Waits.Count * 99 / 100);

    public double ShareOf(string upstream) => Waits.Count(w => w.At == upstream) / (double)Waits.Count;

    private void Play(double until)
    {
        while (_events.TryPeek(out _, out var due) && due <= until)
        {
            var (at, began, ends) = _events.Dequeue();
            MoveTo(due);
            if (ends)
            {
                at.Load.End();
                continue;
            }

            at.Load.PaceOf(streams: true).Spoke(_now - began);
            Waits.Add((at.Target.Upstream.Name, _now - began));
            _events.Enqueue((at, began, true), _now + StreamMs);
        }

        MoveTo(until);
    }

    private void MoveTo(double time)
    {
        choosing.Clock.Advance(TimeSpan.FromMilliseconds(time - _now));
        _now = time;
    }
}
