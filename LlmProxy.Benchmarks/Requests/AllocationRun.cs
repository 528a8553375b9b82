using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Requests;

/// <summary><c>-- allocations [EVENTS]</c>: what a whole request allocates, by type, from the runtime's samples, and what of it is the proxy's.</summary>
internal static class AllocationRun
{
    private const int WarmUp = 20_000;
    private const int Requests = 200_000;
    private const int Shown = 40;

    /// <param name="events">Of each stream; 0 for whole answers.</param>
    public static int Run(int events)
    {
        var requests = events > 100 ? Requests / 20 : Requests;
        using var samples = new AllocationSamples();
        var proxied = Measure(samples, requests, events, null);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{proxied.Bytes:0} bytes per request, {proxied.Samples} samples"));
        if (events > 0)
        {
            foreach (var (type, bytes) in proxied.Types.OrderByDescending(static t => t.Value).Take(Shown))
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bytes,7:0}  {type}"));
            }

            return 0;
        }

        var server = Measure(samples, requests, events, static _ => BareApp.AnswerAsync);
        var both = Measure(samples, requests, events, BareApp.ForwardTo);
        Console.WriteLine("  bytes  of them the proxy's own");
        foreach (var (type, bytes) in proxied.Types.OrderByDescending(static t => t.Value).Take(Shown))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bytes,7:0} {Math.Max(0, bytes - both.Types.GetValueOrDefault(type)),7:0}  {type}"));
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Without the proxy: {server.Bytes:0} by the server, {both.Bytes - server.Bytes:0} by the HTTP client. The proxy's own: {proxied.Bytes - both.Bytes:0}."));
        return 0;
    }

    private static Measured Measure(AllocationSamples samples, int requests, int events, Func<Uri, RequestDelegate>? instead)
    {
        using var whole = new WholeRequest(events, instead);
        Ask(whole, WarmUp);
        samples.Clear();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Ask(whole, requests);
        var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)requests;
        var counts = samples.Counts.ToArray();
        var all = counts.Sum(static c => c.Value);
        return new Measured(each, all, counts.ToDictionary(static c => c.Key, c => each * c.Value / all));
    }

    private static void Ask(WholeRequest whole, int times)
    {
        for (var i = 0; i < times; i++)
        {
            whole.Proxied();
        }
    }

    /// <param name="Bytes">Per request.</param>
    /// <param name="Samples">What the types are told from.</param>
    /// <param name="Types">Bytes per request of each type.</param>
    private sealed record Measured(double Bytes, int Samples, Dictionary<string, double> Types);

    // One event for each 100 KB that a thread has allocated, with the type of the object that passed them.
    private sealed class AllocationSamples : EventListener
    {
        private const EventKeywords Gc = (EventKeywords)1;

        public ConcurrentDictionary<string, int> Counts { get; } = new();

        public void Clear() => Counts.Clear();

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
            {
                EnableEvents(eventSource, EventLevel.Verbose, Gc);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) == true
                && eventData.PayloadNames?.IndexOf("TypeName") is >= 0 and var at
                && eventData.Payload?[at] is string type)
            {
                Counts.AddOrUpdate(type, 1, static (_, count) => count + 1);
            }
        }
    }
}
