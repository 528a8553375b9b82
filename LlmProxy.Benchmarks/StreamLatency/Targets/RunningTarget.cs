using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>A process of the comparison, with what it says at its end if that comes too early.</summary>
internal sealed class RunningTarget : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<RunningTarget, bool> _all = new();

    private readonly Queue<string> _lastLines = new();
    private readonly string? _folder;

    static RunningTarget() => AppDomain.CurrentDomain.ProcessExit += static (_, _) =>
    {
        // One that is suspended would stay for ever.
        foreach (var target in _all.Keys)
        {
            target.Kill();
        }
    };

    private RunningTarget(Process process, int port, string? folder)
    {
        _all[this] = true;
        (Process, Port, _folder) = (process, port, folder);
        Process.OutputDataReceived += (_, line) => Remember(line.Data);
        Process.ErrorDataReceived += (_, line) => Remember(line.Data);
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    public Process Process { get; }

    public int Port { get; }

    /// <exception cref="InvalidOperationException">It does not start; the message says why.</exception>
    public static RunningTarget Start(ProcessStartInfo command, int port, string? folder, bool isProxy)
    {
        command.RedirectStandardInput = true;
        command.RedirectStandardOutput = true;
        command.RedirectStandardError = true;
        try
        {
            return new RunningTarget(Cpus.Pinned(isProxy, () => Process.Start(command)!), port, folder);
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    /// <summary>The upstream of all targets.</summary>
    /// <exception cref="InvalidOperationException">It does not answer.</exception>
    public static RunningTarget StartUpstream()
    {
        var port = Target.FreePort();
        var upstream = Start(OwnProcess.LoadCommand("upstream", OwnProcess.Text(port)), port, null, isProxy: false);
        FirstAnswer.Wait(port, () => upstream.Process.HasExited);
        return upstream;
    }

    /// <summary>It does nothing until it is resumed; nor what it started. Linux only: elsewhere it goes on, and is idle.</summary>
    public void Suspend() => ProcessSignal.SendToTree(Process, ProcessSignal.Stop);

    public void Resume() => ProcessSignal.SendToTree(Process, ProcessSignal.Continue);

    /// <summary>What it wrote last.</summary>
    public string LastWords()
    {
        lock (_lastLines)
        {
            return string.Join(" | ", _lastLines);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _all.TryRemove(this, out _);
        Kill();
        await Process.WaitForExitAsync();
        Process.Dispose();
        try
        {
            if (_folder is not null)
            {
                Directory.Delete(_folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Windows may take a while to see that a process is gone; what is left is in the folder for temporary files.
        }
    }

    private void Kill()
    {
        if (!Process.HasExited)
        {
            Process.Kill(entireProcessTree: true);
        }
    }

    private void Remember(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        lock (_lastLines)
        {
            _lastLines.Enqueue(line.Trim());
            if (_lastLines.Count > 3)
            {
                _lastLines.Dequeue();
            }
        }
    }
}
