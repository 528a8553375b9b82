using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>Something that stands between the client and the upstream.</summary>
/// <param name="name">As options and results call it.</param>
/// <param name="label">As tables and charts do.</param>
internal abstract class Target(string name, string label)
{
    public string Name => name;

    public string Label => label;

    /// <summary>Of the program that is measured; null: it is not there, or does not tell.</summary>
    public virtual string? Version => null;

    /// <summary>Makes ready what is needed once.</summary>
    /// <returns>Why it cannot take part; null: it can.</returns>
    public virtual string? Prepare(Action<string> say) => null;

    /// <summary>Starts it; nobody has waited for it yet.</summary>
    /// <param name="upstreamPort">Where it sends to.</param>
    /// <param name="isForLoad">An app is compiled to the end at once. In steps, as it is by default, that takes an app on one busy processor longer than a run.</param>
    public virtual RunningTarget Start(int upstreamPort, bool isForLoad = false)
    {
        var port = FreePort();
        var folder = Directory.CreateTempSubdirectory("llmproxy-stream-").FullName;
        var command = Command(port, upstreamPort, folder);
        OwnProcess.CompileInSteps(command);
        if (isForLoad)
        {
            command.Environment["DOTNET_TieredCompilation"] = "0";
            command.Environment["DOTNET_ReadyToRun"] = "0";
        }

        return RunningTarget.Start(command, port, folder, isProxy: true);
    }

    /// <param name="port">Where it listens, on loopback.</param>
    /// <param name="upstreamPort">Where it sends to.</param>
    /// <param name="folder">Its own, for as long as it runs.</param>
    protected abstract ProcessStartInfo Command(int port, int upstreamPort, string folder);

    /// <summary>A port that nobody listens on, below those that systems give to connections.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }
}
