using System.Diagnostics;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>Nothing in between: what the client and the upstream take by themselves.</summary>
internal sealed class DirectTarget() : Target(Key, "direct")
{
    public const string Key = "direct";

    protected override ProcessStartInfo Command(int port, int upstreamPort, string folder) => throw new NotSupportedException();
}
