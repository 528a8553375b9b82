using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using LlmProxy.Host.Sources;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmProxy.Host.Listening;

/// <summary>
/// A Unix socket that only this user can open: over it the command line reaches the running instance without a key. It is a
/// convenience: where it cannot be, the instance serves without it.
/// </summary>
internal sealed class LocalSocket
{
    private const string DataVariable = "LLMPROXY_DATA";
    private const string AddressPrefix = "http://unix:";
    private const string Ending = ".sock";

    /// <summary>What the kernel has room for, with its closing zero.</summary>
    private const int LongestPath = 104;

    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _path;

    private LocalSocket(string path) => _path = path;

    /// <summary>True for an address that is a socket's.</summary>
    public static bool IsOne(string address) => address.StartsWith(AddressPrefix, StringComparison.Ordinal);

    /// <summary>True for a request that came through it. What has a port did not, and is not asked for a feature that the server does not know: a long search.</summary>
    public static bool IsFrom(HttpContext http) => http.Connection.LocalPort == 0 && http.Features.Get<Mark>() is not null;

    /// <summary>
    /// Where the instance that is configured so has its socket; null where there can be none. The folder is the one that
    /// <c>LLMPROXY_DATA</c> names, else the service manager's, else the user's own for what runs.
    /// </summary>
    public static string? PathFor(ConfigurationSource source)
    {
        if (Folder() is not { } folder)
        {
            return null;
        }

        // Several instances may run, each with a configuration of its own.
        var what = source.Kind is SourceKind.File or SourceKind.AppSettings ? Path.GetFullPath(source.Path) : source.Kind.ToString();
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(what)))[..12];
        var path = Path.Combine(folder, name + Ending);
        return Encoding.UTF8.GetByteCount(path) < LongestPath ? path : null;
    }

    /// <summary>The sockets of instances that are configured otherwise; that of the demo, which is for nobody's use, is left out.</summary>
    public static IReadOnlyList<string> Others(ConfigurationSource source)
    {
        try
        {
            return Folder() is { } folder && Directory.Exists(folder)
                ? [.. Directory.EnumerateFiles(folder, "*" + Ending).Where(path => path != PathFor(source) && path != PathFor(ConfigurationSource.Nothing))]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string? Folder()
    {
        var folder = Set(DataVariable) ?? Set("STATE_DIRECTORY")?.Split(':')[0]
            ?? (Set("XDG_RUNTIME_DIR") is { } run ? Path.Combine(run, "llmproxy") : Set("HOME") is { } home ? Path.Combine(home, ".local", "state", "llmproxy") : null);
        return OperatingSystem.IsWindows() || folder is null ? null : Path.GetFullPath(folder);
    }

    /// <summary>For requests to the instance whose socket that is.</summary>
    public static SocketsHttpHandler CreateHandler(string path) => new()
    {
        UseProxy = false,
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };

    /// <summary>Makes room for it; null if it cannot be, or another instance has it.</summary>
    public static LocalSocket? TryOpen(ConfigurationSource source)
    {
        if (OperatingSystem.IsWindows() || PathFor(source) is not { } path)
        {
            return null;
        }

        try
        {
            var folder = Path.GetDirectoryName(path)!;
            if (!Directory.Exists(folder))
            {
                Directory.CreateDirectory(folder, OwnersOnly);
            }

            if (Path.Exists(path))
            {
                if (IsServed(path))
                {
                    return null;
                }

                File.Delete(path);
            }

            // Tried before the server does, for which a failure would be the end.
            using (var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                probe.Bind(new UnixDomainSocketEndPoint(path));
            }

            File.Delete(path);
            return new LocalSocket(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            return null;
        }
    }

    public void Bind(KestrelServerOptions kestrel) => kestrel.ListenUnixSocket(_path, static listener =>
    {
        listener.Protocols = HttpProtocols.Http1;
        listener.Use(static next => connection =>
        {
            connection.Features.Set(new Mark());
            return next(connection);
        });
    });

    /// <summary>
    /// Makes the socket that the server is to listen on; null for every other address. It is made in a folder that only this user can look
    /// into, and put in its place once only this user can open it: there is no moment in which anybody else could.
    /// </summary>
    public Socket? TryCreate(EndPoint address)
    {
        if (OperatingSystem.IsWindows() || address is not UnixDomainSocketEndPoint unix || unix.ToString() != _path)
        {
            return null;
        }

        // Shorter than the socket's own name: the kernel has little room for a path.
        var folder = Path.Combine(Path.GetDirectoryName(_path)!, "." + RandomNumberGenerator.GetHexString(8, lowercase: true));
        Directory.CreateDirectory(folder, OwnersOnly);
        var hidden = Path.Combine(folder, "s");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(hidden));
            File.SetUnixFileMode(hidden, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(hidden, _path, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>After the server has ended. Another that has taken its place stays.</summary>
    public void Remove()
    {
        try
        {
            if (!IsServed(_path))
            {
                File.Delete(_path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start takes it away.
        }
    }

    private static bool IsServed(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string? Set(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    /// <summary>On connections that came through it.</summary>
    private sealed class Mark;
}
