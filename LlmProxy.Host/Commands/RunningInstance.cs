using System.Net.Sockets;
using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Serving;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Commands;

/// <summary>The instance on this machine that runs on the same configuration, asked through its socket.</summary>
/// <param name="Generation">Of the configuration in force there.</param>
/// <param name="Outline">What it offers.</param>
internal sealed record RunningInstance(long Generation, LlmProxyOutline Outline)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    /// <summary>Null if none runs here, or not as this user.</summary>
    public static async Task<RunningInstance?> FindAsync(ConfigurationSource source, CancellationToken cancellation)
    {
        if (LocalSocket.PathFor(source) is not { } path || !Path.Exists(path))
        {
            return null;
        }

        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var client = new HttpClient(handler) { Timeout = _patience };
        try
        {
            using var json = JsonDocument.Parse(await client.GetByteArrayAsync(new Uri("http://localhost" + RunningPage.Path), cancellation));
            return new RunningInstance(json.RootElement.GetProperty("generation").GetInt64(), LlmProxyOutline.Read(json.RootElement));
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }
}
