using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Serving;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Commands;

/// <summary>An instance that runs on this machine, asked through its socket.</summary>
/// <param name="Generation">Of the configuration in force there.</param>
/// <param name="Source">Where that came from.</param>
/// <param name="Addresses">Where its API is, without <c>/v1</c>, as the server tells; the first is meant for clients.</param>
/// <param name="Outline">What it offers.</param>
internal sealed record RunningInstance(long Generation, string Source, IReadOnlyList<string> Addresses, LlmProxyOutline Outline)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The one that was started with this configuration, else all others that run here as this user: what is checked may be a copy that
    /// is to replace the file of one.
    /// </summary>
    public static async Task<IReadOnlyList<RunningInstance>> FindAsync(ConfigurationSource source, CancellationToken cancellation)
    {
        if (await FindOwnAsync(source, cancellation) is { } own)
        {
            return [own];
        }

        var found = await Task.WhenAll(LocalSocket.Others(source).Select(path => AskAsync(path, cancellation)));
        return [.. found.OfType<RunningInstance>()];
    }

    /// <summary>Null if none that was started with this configuration runs here, or not as this user.</summary>
    public static async Task<RunningInstance?> FindOwnAsync(ConfigurationSource source, CancellationToken cancellation) =>
        LocalSocket.PathFor(source) is { } path && Path.Exists(path) ? await AskAsync(path, cancellation) : null;

    private static async Task<RunningInstance?> AskAsync(string path, CancellationToken cancellation)
    {
        using var handler = LocalSocket.CreateHandler(path);
        using var client = new HttpClient(handler) { Timeout = _patience };
        try
        {
            using var json = JsonDocument.Parse(await client.GetByteArrayAsync(new Uri("http://localhost" + RunningPage.Path), cancellation));
            return new RunningInstance(
                json.RootElement.GetProperty("generation").GetInt64(),
                json.RootElement.GetProperty("source").GetString() ?? "",
                [.. json.RootElement.GetProperty("api").EnumerateArray().Select(static address => address.GetString() ?? "")],
                LlmProxyOutline.Read(json.RootElement));
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }
}
