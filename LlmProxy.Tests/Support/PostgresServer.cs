using System.Diagnostics;
using System.Globalization;
using Npgsql;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>
/// A real PostgreSQL server of the tests' own, in a folder and on a port of its own, from the binaries of Debian's package. It can be
/// stopped and started again. Tests are skipped where it is not installed, and fail there where <c>CI=true</c>.
/// </summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private const string Password = "pg-5ecret";

    /// <summary>Runs the server until standard input ends: with the process of the tests, however that ends.</summary>
    private const string UntilInputEnds = "\"$@\" & server=$!; cat > /dev/null; kill -QUIT $server 2> /dev/null; wait";

    private static readonly SemaphoreSlim _once = new(1);
    private static PostgresServer? _shared;

    private readonly string _binaries;
    private readonly string _folder;
    private readonly int _port;
    private Process? _process;

    private PostgresServer(string binaries, string folder, int port) => (_binaries, _folder, _port) = (binaries, folder, port);

    /// <summary>One for all tests that do not stop it; it ends after the last of them.</summary>
    public static async Task<PostgresServer> SharedAsync()
    {
        await _once.WaitAsync();
        try
        {
            return _shared ??= await StartNewAsync();
        }
        finally
        {
            _once.Release();
        }
    }

    /// <summary>After the last test.</summary>
    public static void EndShared() => _shared?.End();

    /// <summary>One that a test may stop.</summary>
    public static async Task<PostgresServer> StartNewAsync()
    {
        var binaries = FindBinaries();
        if (binaries is null)
        {
            const string Missing = "PostgreSQL's server is not installed (Debian: postgresql).";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail(Missing);
            }

            Assert.Ignore(Missing);
        }

        var folder = Directory.CreateTempSubdirectory("llmproxy-postgres-").FullName;
        var server = new PostgresServer(binaries!, folder, Random.Shared.Next(20_000, 32_000));
        await File.WriteAllTextAsync(Path.Combine(folder, "password"), Password);
        if (IsRoot)
        {
            // The server refuses to be root's.
            await RunAsync("chown", "-R", "postgres", folder);
        }

        await server.AsItsUserAsync(
            "initdb", "-D", server.Data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", Path.Combine(folder, "password"), "-E", "UTF8", "--locale=C.UTF-8", "--no-sync");
        await server.StartAsync();
        return server;
    }

    private static bool IsRoot => Environment.UserName == "root";

    private string Data => Path.Combine(_folder, "data");

    /// <summary>Of a database; it is made with <see cref="CreateDatabaseAsync"/>.</summary>
    public string ConnectionString(string database = "postgres", string password = Password) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = _port,
        Username = "postgres",
        Password = password,
        Database = database,
        Pooling = true,
    }.ToString();

    /// <summary>An empty database; its connection string.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = "t" + Guid.NewGuid().ToString("N");
        await ExecuteAsync(ConnectionString(), $"CREATE DATABASE {name}");
        return ConnectionString(name);
    }

    public static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task StartAsync()
    {
        var start = AsItsUser(
            "postgres", "-D", Data, "-p", _port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={_folder}",
            "-c", "fsync=off", "-c", "max_connections=100");
        _process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", UntilInputEnds, "sh", start.FileName, .. start.ArgumentList])
        {
            WorkingDirectory = _folder,
            RedirectStandardInput = true,
            RedirectStandardError = true,
        })!;
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginErrorReadLine();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                await ExecuteAsync(ConnectionString(), "SELECT 1");
                return;
            }
            catch (NpgsqlException) when (!deadline.IsCancellationRequested && !_process.HasExited)
            {
                await Task.Delay(50, deadline.Token);
            }
        }
    }

    /// <summary>Stops it as a crash of its machine would: connections break, and nothing is tidied up.</summary>
    public async Task StopAsync()
    {
        await AsItsUserAsync("pg_ctl", "stop", "-D", Data, "-m", "immediate");
        _process!.StandardInput.Close();
        await _process.WaitForExitAsync();
    }

    public ValueTask DisposeAsync()
    {
        End();
        return ValueTask.CompletedTask;
    }

    private void End()
    {
        if (_process is { HasExited: false })
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
        }

        _process?.Dispose();
        _process = null;
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static string? FindBinaries()
    {
        const string Debian = "/usr/lib/postgresql";
        return Directory.Exists(Debian)
            ? Directory.EnumerateDirectories(Debian).Select(static version => Path.Combine(version, "bin")).Where(static folder => File.Exists(Path.Combine(folder, "initdb")))
                .OrderByDescending(static folder => folder.Length).ThenByDescending(static folder => folder, StringComparer.Ordinal).FirstOrDefault()
            : null;
    }

    private ProcessStartInfo AsItsUser(string binary, params string[] arguments)
    {
        var path = Path.Combine(_binaries, binary);
        var start = IsRoot
            ? new ProcessStartInfo("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", path, .. arguments])
            : new ProcessStartInfo(path, arguments);
        start.WorkingDirectory = _folder;
        return start;
    }

    private async Task AsItsUserAsync(string binary, params string[] arguments)
    {
        var start = AsItsUser(binary, arguments);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        await RunAsync(start);
    }

    private static Task RunAsync(string command, params string[] arguments) =>
        RunAsync(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });

    private static async Task RunAsync(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, $"{start.FileName} {string.Join(' ', start.ArgumentList)}\n{await output}\n{await errors}");
    }
}
