using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace LlmProxy.Tests.Support;

/// <summary>The executable as its own process, configured by a file and stopped by SIGTERM.</summary>
public sealed class ProcessProxy : IProxyUnderTest
{
    private const string Variable = "LLMPROXY_EXECUTABLE";

    private readonly string _folder = Directory.CreateTempSubdirectory("llmproxy-").FullName;
    private readonly ConcurrentQueue<RecordView> _records = new();
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly HttpClient _http;
    private readonly Process _process;

    private ProcessProxy(string executable, ProxySetup setup)
    {
        Address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort()}"));
        _http = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(5) };
        ConfigurationPath = Path.Combine(_folder, "llmproxy.json");
        File.WriteAllText(ConfigurationPath, ConfigurationFile.Write(setup.Options));
        var start = new ProcessStartInfo(executable, ["--config", ConfigurationPath, "--urls", Address.GetLeftPart(UriPartial.Authority)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
            Environment = { ["LLMPROXY_DATA"] = _folder },
        };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
    }

    /// <summary>The executable that the end-to-end tests are to run against; null: an app in this process.</summary>
    public static string? Executable => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    public Uri Address { get; }

    public string ConfigurationPath { get; }

    public int ProcessId => _process.Id;

    public IReadOnlyList<RecordView> Records => [.. _records];

    public int? Entered => null;

    public IEnumerable<string> LogLines => _lines;

    public IEnumerable<string> ErrorLines => _lines.Where(line =>
        line.StartsWith("fail", StringComparison.OrdinalIgnoreCase)
        || line.StartsWith("crit", StringComparison.OrdinalIgnoreCase)
        || line.StartsWith("error", StringComparison.OrdinalIgnoreCase)
        || line.Contains("\"LogLevel\":\"Error\"", StringComparison.Ordinal)
        || line.Contains("Unhandled exception", StringComparison.Ordinal));

    public static async Task<ProcessProxy> StartAsync(string executable, ProxySetup setup)
    {
        var proxy = new ProcessProxy(executable, setup);
        proxy._process.Start();
        proxy._process.BeginOutputReadLine();
        proxy._process.BeginErrorReadLine();
        try
        {
            await proxy.WaitUntilReadyAsync();
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }

        return proxy;
    }

    public async Task<long?> ActiveAsync()
    {
        string page = await _http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        string[] samples = [.. page.Split('\n').Where(line => line.StartsWith("llmproxy_requests_active", StringComparison.Ordinal))];
        return samples.Length == 0 ? null : samples.Sum(ValueOf);
    }

    public async Task<long> GenerationAsync()
    {
        using JsonDocument page = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/readyz", UriKind.Relative)));
        return page.RootElement.GetProperty("generation").GetInt64();
    }

    public Task AskToReloadAsync() => SignalAsync("-HUP");

    public async Task<string?> StopAsync()
    {
        if (_process.HasExited)
        {
            return $"The executable had ended by itself with {_process.ExitCode}.";
        }

        await SignalAsync("-TERM");
        using CancellationTokenSource deadline = Deadline.Source();
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode == 0 ? null : $"The executable ended with {_process.ExitCode} after SIGTERM.";
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    private async Task WaitUntilReadyAsync()
    {
        using CancellationTokenSource deadline = Deadline.Source();
        while (true)
        {
            if (_process.HasExited)
            {
                await _process.WaitForExitAsync();
                throw new InvalidOperationException($"The executable ended with {_process.ExitCode}:\n{string.Join('\n', _lines)}");
            }

            try
            {
                using HttpResponseMessage answer = await _http.GetAsync(new Uri("/readyz", UriKind.Relative), deadline.Token);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }

            await Task.Delay(20, deadline.Token);
        }
    }

    private void Take(string? line)
    {
        if (line is null)
        {
            return;
        }

        if (RecordView.Of(line) is { } record)
        {
            _records.Enqueue(record);
        }
        else
        {
            _lines.Enqueue(line);
        }
    }

    /// <summary>The value in <c>name{label="…"} value timestamp</c>.</summary>
    private static long ValueOf(string sample)
    {
        int labelsEnd = sample.LastIndexOf('}');
        string rest = labelsEnd >= 0 ? sample[(labelsEnd + 1)..] : sample[sample.IndexOf(' ', StringComparison.Ordinal)..];
        return (long)double.Parse(rest.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
    }

    /// <summary>A port that nothing listens on, outside the range from which outgoing connections take theirs.</summary>
    private static int FreePort()
    {
        while (true)
        {
            int port = Random.Shared.Next(20_000, 32_000);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }
}
