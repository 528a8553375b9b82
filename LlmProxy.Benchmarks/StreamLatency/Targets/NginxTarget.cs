using System.Diagnostics;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>nginx with one worker, which checks the key and passes on unbuffered.</summary>
internal sealed class NginxTarget() : Target("nginx", "nginx")
{
    // Debian keeps it out of the path of those who are not root.
    private static readonly string? _program = new[] { "nginx", "/usr/sbin/nginx" }.FirstOrDefault(static p => MachineDescription.FirstLineOf(p, "-v") is not null);

    public override string? Version => _program is null ? null : MachineDescription.FirstLineOf(_program, "-v")?.Replace("nginx version: nginx/", "", StringComparison.Ordinal);

    public override string? Prepare(Action<string> say) => _program is null ? "it is not installed" : null;

    protected override ProcessStartInfo Command(int port, int upstreamPort, string folder)
    {
        var file = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(file, $$"""
            worker_processes 1;
            daemon off;
            error_log "{{folder}}/error.log";
            pid "{{folder}}/pid";
            worker_rlimit_nofile 19000;
            events { worker_connections 18000; }
            http {
              access_log off;
              client_body_buffer_size 1m;
              client_max_body_size 64m;
              keepalive_requests 1000000000;
              client_body_temp_path "{{folder}}/b"; proxy_temp_path "{{folder}}/p"; fastcgi_temp_path "{{folder}}/f";
              uwsgi_temp_path "{{folder}}/u"; scgi_temp_path "{{folder}}/s";
              upstream up { server 127.0.0.1:{{upstreamPort}}; keepalive 2048; keepalive_requests 1000000000; }
              server {
                listen 127.0.0.1:{{port}} backlog=4096;
                location / {
                  if ($http_authorization != "Bearer {{Wire.ClientKey}}") { return 401; }
                  proxy_pass http://up;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Authorization "Bearer {{Wire.UpstreamKey}}";
                  proxy_buffering off;
                  proxy_read_timeout 600s;
                }
              }
            }
            """);
        return new ProcessStartInfo(_program!, ["-c", file, "-p", folder, "-e", Path.Combine(folder, "error.log")]);
    }
}
