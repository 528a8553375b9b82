using System.Collections.Concurrent;

namespace LlmProxy.Tests.Support;

/// <summary>Exceptions of tasks of ours that nobody looked at.</summary>
public static class UnobservedExceptions
{
    private static readonly ConcurrentQueue<string> s_seen = new();

    static UnobservedExceptions()
    {
        TaskScheduler.UnobservedTaskException += (_, unobserved) => s_seen.Enqueue(unobserved.Exception.ToString());
    }

    /// <summary>Those since the last call that have a frame of the product's own code.</summary>
    public static IReadOnlyList<string> Take()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var taken = new List<string>();
        while (s_seen.TryDequeue(out string? one))
        {
            if (one.Contains("LlmProxy.Core.", StringComparison.Ordinal))
            {
                taken.Add(one);
            }
        }

        return taken;
    }
}
