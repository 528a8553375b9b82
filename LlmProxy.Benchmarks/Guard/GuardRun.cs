using System.Globalization;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Benchmarks.Protocol;

namespace LlmProxy.Benchmarks.Guard;

/// <summary><c>-- guard</c>: the ratios that must hold on any machine, in half a minute. The exit code is 1 if one does not.</summary>
internal static class GuardRun
{
    // By measurement they are at most 0.8 and 1.6.
    private const double MostForRequests = 1 / 1.1;
    private const double MostForEvents = 2;

    public static int Run()
    {
        var failed = 0;
        foreach (var check in Checks())
        {
            var ratio = check.Measure(out var rounds);
            var isKept = ratio <= check.Most;
            failed += isKept ? 0 : 1;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(isKept ? "ok  " : "OVER")} {ratio,5:0.00} of at most {check.Most:0.00}  {check.Name}  ({rounds} rounds)"));
        }

        return failed == 0 ? 0 : 1;
    }

    private static IEnumerable<RatioCheck> Checks()
    {
        foreach (var text in (int[])[0, 4096])
        {
            var events = new EventScanBenchmarks { Text = text };
            events.Setup();
            yield return new($"events of {text} bytes of text found, to line feeds found", MostForEvents, () => events.FindLineFeeds(), () => events.Scan());
        }

        foreach (var segment in (int[])[4096, int.MaxValue])
        {
            foreach (var shape in Enum.GetValues<RequestShape>())
            {
                var requests = new RequestScanBenchmarks { Shape = shape, Segment = segment };
                requests.Setup();
                yield return new($"{shape} in {(segment == 4096 ? "blocks" : "one piece")} read, to the runtime's reader", MostForRequests, () => requests.Reader(), () => requests.Fields());
            }
        }
    }
}
