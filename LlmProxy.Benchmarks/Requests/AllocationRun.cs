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
        using var whole = new WholeRequest(events);
        var requests = events > 100 ? Requests / 20 : Requests;
        Ask(whole, WarmUp);
        using var samples = new AllocationSamples();
        Ask(whole, WarmUp / 10);
        samples.Clear();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Ask(whole, requests);
        var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)requests;
        var counted = samples.Counts.ToArray();
        var all = counted.Sum(static c => c.Value);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{each:0} bytes per request, {all} samples"));
        foreach (var (type, count) in counted.OrderByDescending(static c => c.Value).Take(Shown))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{each * count / all,7:0}  {type}"));
        }

        if (events == 0)
        {
            var server = BytesOf(static _ => BareApp.AnswerAsync);
            var both = BytesOf(BareApp.ForwardTo);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Without the proxy: {server:0} by the server, {both - server:0} by the HTTP client. The proxy's own: {each - both:0}."));
        }

        return 0;
    }

    private static double BytesOf(Func<Uri, RequestDelegate> instead)
    {
        using var whole = new WholeRequest(events: 0, instead);
        Ask(whole, WarmUp);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Ask(whole, WarmUp);
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)WarmUp;
    }

    private static void Ask(WholeRequest whole, int times)
    {
        for (var i = 0; i < times; i++)
        {
            whole.Proxied();
        }
    }

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
