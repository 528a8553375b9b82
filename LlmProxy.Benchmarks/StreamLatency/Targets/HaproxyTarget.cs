using System.Diagnostics;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>HAProxy with one thread, which checks the key and passes on without delay.</summary>
internal sealed class HaproxyTarget() : Target("haproxy", "HAProxy")
{
    private static readonly string? _program = new[] { "haproxy", "/usr/sbin/haproxy" }.FirstOrDefault(static p => MachineDescription.FirstLineOf(p, "-v") is not null);

    public override string? Version => _program is null ? null : MachineDescription.FirstLineOf(_program, "-v")?.Split(' ').ElementAtOrDefault(2);

    public override string? Prepare(Action<string> say) => _program is null ? "it is not installed" : null;

    protected override ProcessStartInfo Command(int port, int upstreamPort, string folder)
    {
        var file = Path.Combine(folder, "haproxy.cfg");
        File.WriteAllText(file, $$"""
            global
              nbthread 1
              maxconn 9000
            defaults
              mode http
              option http-no-delay
              timeout client 600s
              timeout server 600s
              timeout connect 5s
            frontend f
              bind 127.0.0.1:{{port}}
              http-request deny deny_status 401 unless { req.hdr(Authorization) -m str "Bearer {{Wire.ClientKey}}" }
              http-request set-header Authorization "Bearer {{Wire.UpstreamKey}}"
              default_backend b
            backend b
              http-reuse always
              server s 127.0.0.1:{{upstreamPort}}

            """);
        return new ProcessStartInfo(_program!, ["-f", file]);
    }
}
