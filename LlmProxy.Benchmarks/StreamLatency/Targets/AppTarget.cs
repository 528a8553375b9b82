using System.Diagnostics;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>An ASP.NET application of this program, compiled as it runs, with the settings that applications have by default.</summary>
internal sealed class AppTarget(string name, string label, string version) : Target(name, label)
{
    public override string Version => version;

    protected override ProcessStartInfo Command(int port, int upstreamPort, string folder)
    {
        var command = OwnProcess.Command(Name, OwnProcess.Text(port), OwnProcess.Text(upstreamPort));
        command.WorkingDirectory = folder;
        return command;
    }
}
