using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>
/// The executable, started as an operator would start it, in an empty folder of its own and with none of our variables set
/// but those of the test.
/// </summary>
internal sealed class HostProcess : IAsyncDisposable
{
    /// <summary>Long enough for a busy machine; only a failure waits so long.</summary>
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    private static readonly string[] _inherited = ["PATH", "HOME", "TMPDIR", "DOTNET_ROOT", "DOTNET_CLI_HOME"];

    private readonly Process _process;
    private readonly Lines _people = new();
    private readonly Lines _results = new();
    private readonly Task _reading;

    private HostProcess(Process process, bool readsResults)
    {
        _process = process;
        _reading = Task.WhenAll(
            _people.ReadAsync(process.StandardError),
            readsResults ? _results.ReadAsync(process.StandardOutput) : Task.CompletedTask);
    }

    /// <summary>The first address of the API, without <c>/v1</c>; known once <see cref="StartedAsync"/> has returned.</summary>
    public string Address { get; private set; } = "";

    /// <summary>The generated key, if one was.</summary>
    public string? Key { get; private set; }

    /// <summary>Everything on standard error so far.</summary>
    public string People => _people.Text;

    /// <summary>Everything on standard output so far.</summary>
    public string Results => _results.Text;

    /// <summary>How many threads it has, as Linux tells.</summary>
    public int Threads => Directory.EnumerateFileSystemEntries($"/proc/{_process.Id}/task").Count();

    /// <summary>How many bytes of it are in memory, as Linux tells.</summary>
    public long ResidentMemory => 1024 * Status("VmRSS");

    /// <summary>For how many open files the kernel's table of them has room, as Linux tells.</summary>
    public long FileRoom => Status("FDSize");

    public static HostProcess Start(string folder, IReadOnlyDictionary<string, string>? variables, params string[] arguments) =>
        Start(folder, variables, readsResults: true, arguments);

    public static HostProcess Start(string folder, IReadOnlyDictionary<string, string>? variables, bool readsResults, params string[] arguments)
    {
        var (file, first) = Executable();
        return Start(folder, variables, readsResults, file, [.. first, .. arguments]);
    }

    /// <summary>Starts it from a shell that has run a command before, for example <c>ulimit</c>.</summary>
    public static HostProcess StartAfter(string command, string folder, params string[] arguments)
    {
        var (file, first) = Executable();
        return Start(folder, variables: null, readsResults: true, "/bin/sh", ["-c", command + "; exec \"$@\"", "sh", file, .. first, .. arguments]);
    }

    private long Status(string name) => long.Parse(
        Regex.Match(File.ReadAllText($"/proc/{_process.Id}/status"), $@"^{name}:\s+(\d+)( kB)?$", RegexOptions.Multiline).Groups[1].Value,
        System.Globalization.CultureInfo.InvariantCulture);

    private static HostProcess Start(
        string folder, IReadOnlyDictionary<string, string>? variables, bool readsResults, string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
            StandardOutputEncoding = Encoding.UTF8,
        };
        arguments.ToList().ForEach(start.ArgumentList.Add);
        foreach (var name in start.Environment.Keys.Except(_inherited).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["LLMPROXY_DATA"] = Path.Combine(folder, ".data");
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new HostProcess(Process.Start(start)!, readsResults);
    }

    /// <summary>Until the banner says where the API is and the whole of it has come.</summary>
    public async Task<HostProcess> StartedAsync()
    {
        Address = (await _people.WaitAsync(@"^  API    (http\S+?)/v1 ", _deadline)).Groups[1].Value;
        await _people.WaitAsync(@"^  API .*\n(.*\S.*\n)*\n", _deadline);
        var key = Regex.Match(People, @"^  Key    (\S+) ", RegexOptions.Multiline);
        Key = key.Success ? key.Groups[1].Value : null;
        return this;
    }

    /// <summary>Whether SIGINT has no effect on this process and therefore on what it starts.</summary>
    public static bool IgnoresInterrupts() => OperatingSystem.IsLinux() && (Convert.ToUInt64(
        Regex.Match(File.ReadAllText("/proc/self/status"), @"^SigIgn:\s+(\S+)$", RegexOptions.Multiline).Groups[1].Value, 16) & 2) != 0;

    public Task<Match> SaysAsync(string pattern) => _people.WaitAsync(pattern, _deadline);

    public Task<Match> ResultsInAsync(string pattern) => _results.WaitAsync(pattern, _deadline);

    public async Task<int> ExitedAsync()
    {
        using var deadline = new CancellationTokenSource(_deadline);
        await _process.WaitForExitAsync(deadline.Token);
        await _reading.WaitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public async Task EnterAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        _process.StandardInput.Close();
    }

    /// <summary>Asks it to stop, as a service manager does.</summary>
    public async Task<int> StoppedAsync()
    {
        await SignalAsync("TERM");
        return await ExitedAsync();
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>A client of it that sends any bytes.</summary>
    public Task<RawClient> ConnectAsync()
    {
        var address = new Uri(Address);
        return RawClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, address.Port));
    }

    /// <summary>A client of it that sends a key: the generated one unless another is named.</summary>
    public HttpClient Client(string? key = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(Address) };
        if ((key ?? Key) is { } secret)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        }

        return client;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>The executable that LLMPROXY_EXECUTABLE names (the published one), else the one that was built with these tests.</summary>
    private static (string File, IReadOnlyList<string> First) Executable()
    {
        if (Environment.GetEnvironmentVariable("LLMPROXY_EXECUTABLE") is { Length: > 0 } published)
        {
            return (published, []);
        }

        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var root = output.Parent!.Parent!.Parent!.Parent!.FullName;
        var built = Path.Combine(root, "LlmProxy.Host", "bin", output.Parent!.Name, output.Name, "llmproxy.dll");
        return (Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [built]);
    }

    /// <summary>What came on one of its streams, and those who wait for more of it.</summary>
    private sealed class Lines
    {
        private readonly StringBuilder _text = new();
        private readonly Lock _lock = new();
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _hasEnded;

        public string Text
        {
            get
            {
                lock (_lock)
                {
                    return _text.ToString();
                }
            }
        }

        public async Task ReadAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                Add(line);
            }

            Add(null);
        }

        public async Task<Match> WaitAsync(string pattern, TimeSpan deadline)
        {
            using var late = new CancellationTokenSource(deadline);
            while (true)
            {
                Task more;
                string text;
                bool hasEnded;
                lock (_lock)
                {
                    (more, text, hasEnded) = (_more.Task, _text.ToString(), _hasEnded);
                }

                if (Regex.Match(text, pattern, RegexOptions.Multiline) is { Success: true } match)
                {
                    return match;
                }

                if (hasEnded || late.IsCancellationRequested)
                {
                    throw new AssertionException($"\"{pattern}\" never came. What came:\n{text}");
                }

                await Task.WhenAny(more, Task.Delay(Timeout.Infinite, late.Token));
            }
        }

        private void Add(string? line)
        {
            TaskCompletionSource waiting;
            lock (_lock)
            {
                _hasEnded = line is null;
                _text.Append(line is null ? "" : line + "\n");
                waiting = _more;
                _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            waiting.SetResult();
        }
    }
}
