using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Commands;

/// <summary>The API that a client is to be pointed at, as far as it is known.</summary>
/// <param name="Address">Without <c>/v1</c>.</param>
/// <param name="Outline">What it offers; null: nobody said.</param>
/// <param name="IsRunning">The instance itself has said so.</param>
/// <param name="IsDemo">It is the demo.</param>
/// <param name="Warning">What that is worth, for people; null if there is nothing to add.</param>
internal sealed record ServedApi(Uri Address, LlmProxyOutline? Outline, bool IsRunning, bool IsDemo, string? Warning)
{
    private const string Loopback = "127.0.0.1";

    private static readonly Uri _default = new($"http://{Loopback}:8000");
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Asks the instance that is named, which takes an admin key; else the one that runs here with this configuration; else takes what
    /// the configuration says, or the default.
    /// </summary>
    public static Task<ServedApi> FindAsync(Uri? server, string? configurationFile, CancellationToken cancellation) =>
        server is null ? FindHereAsync(configurationFile, cancellation) : FindThereAsync(server, cancellation);

    /// <summary>What a key may use of it, by name; null where it cannot be asked, and why not.</summary>
    public async Task<(IReadOnlyList<string>? Models, string? Failure)> ModelsForAsync(string key, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_patience);
        using var instance = new AskedInstance(Address, key);
        try
        {
            return (await instance.ListModelsAsync(patience.Token), null);
        }
        catch (RefusedException refused)
        {
            return (null, refused.Message);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (null, $"{Address} did not answer in {_patience.TotalSeconds:0} s.");
        }
    }

    private static async Task<ServedApi> FindHereAsync(string? file, CancellationToken cancellation)
    {
        var variables = new UpstreamVariables();
        var source = ConfigurationLookup.Find(file, variables);
        if (await RunningInstance.FindOwnAsync(source, cancellation) is { Addresses: [var first, ..] } running)
        {
            return new ServedApi(Reachable(first, Loopback), running.Outline, true, source.Kind == SourceKind.Nothing, null);
        }

        var others = LocalSocket.Others(source).Count == 0 ? "" : " Other instances run here: name the configuration of one with --config.";
        if (source.Kind == SourceKind.Nothing)
        {
            return new ServedApi(_default, null, false, false, $"No instance answered, so nobody was asked; this is the default address.{others}");
        }

        try
        {
            var options = LoadedConfiguration.Read(source, variables).Options;
            var plan = ListenPlan.Make(urls: null, options.Listen);
            return new ServedApi(
                Reachable(plan.Api[0].ToString(), Loopback), LlmProxyOutline.Of(options), false, false,
                $"No instance answered, so nobody was asked; this is what one would serve by {source.Description}.{others}");
        }
        catch (Exception unusable) when (unusable is RefusedException or LlmProxyConfigurationException)
        {
            return new ServedApi(
                _default, null, false, false,
                $"No instance answered, so nobody was asked, and {source.Description} cannot be used here (llmproxy check says why); this is the default address.{others}");
        }
    }

    private static async Task<ServedApi> FindThereAsync(Uri server, CancellationToken cancellation)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(AdminClient.KeyVariable)))
        {
            return new ServedApi(server, null, false, false, $"Nobody was asked: {server.Host} says what it serves to the admin key in {AdminClient.KeyVariable}, which is not set.");
        }

        try
        {
            await using var admin = await AdminClient.OpenAsync(server, configurationFile: null, cancellation);
            var outline = LlmProxyOutline.Read(await admin.GetAsync("/configuration", cancellation));
            var address = await ApiOfAsync(server, cancellation) ?? server;
            return new ServedApi(
                address, outline, true, false,
                address.IsLoopback && !server.IsLoopback ? $"There the API listens on {address.Host} only: name the address that clients use with --base-url." : null);
        }
        catch (Exception failure) when (failure is RefusedException or JsonException)
        {
            return new ServedApi(server, null, false, false, $"Nobody was asked: {failure.Message}");
        }
    }

    /// <summary>The admin listener is not where the API is; its page of health says where that is.</summary>
    private static async Task<Uri?> ApiOfAsync(Uri server, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = !server.IsLoopback }) { Timeout = _patience };
        try
        {
            // It may say that it takes no requests just now, and tells all the same.
            using var answer = await client.GetAsync(new Uri(server, "/readyz"), cancellation);
            using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation));
            return json.RootElement.TryGetProperty("api", out var api) && api.GetArrayLength() > 0 ? Reachable(api[0].GetString() ?? "", server.Host) : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or FormatException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>An address that is listened on, as one that can be asked: "all of the machine's" is none.</summary>
    private static Uri Reachable(string address, string host)
    {
        var parsed = BindingAddress.Parse(address);
        return new UriBuilder(parsed.Scheme, parsed.Host is "*" or "+" or "0.0.0.0" or "[::]" ? host : parsed.Host, parsed.Port).Uri;
    }
}
