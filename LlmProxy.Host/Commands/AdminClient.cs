using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Commands;

/// <summary>
/// The admin API as the command line asks it: of the instance at an address, with a key; else of the one that runs here, through its
/// socket; else of the store itself, by a proxy that serves nobody else.
/// </summary>
internal sealed class AdminClient : IAsyncDisposable
{
    public const string KeyVariable = "LLMPROXY_ADMIN_KEY";

    private const string Prefix = "/admin/v1";
    private const int PageSize = 1000;

    /// <summary>For what is answered out of memory, or by one change.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(100);

    private static readonly TimeSpan _connectPatience = TimeSpan.FromSeconds(30);

    private readonly HttpMessageInvoker _http;
    private readonly Uri _server;
    private readonly string? _key;
    private readonly IAsyncDisposable? _owned;

    private AdminClient(HttpMessageInvoker http, Uri server, string? key, string described, IAsyncDisposable? owned = null)
    {
        (_http, _server, _key, Described, _owned) = (http, server, key, described, owned);
    }

    /// <summary>Who is asked, for people.</summary>
    public string Described { get; }

    /// <exception cref="RefusedException">There is nobody to ask.</exception>
    public static async Task<AdminClient> OpenAsync(Uri? server, string? configurationFile, CancellationToken cancellation)
    {
        if (server is not null)
        {
            var key = Environment.GetEnvironmentVariable(KeyVariable);
            if (string.IsNullOrEmpty(key))
            {
                throw new RefusedException($"--server needs an admin key in {KeyVariable}.");
            }

            var handler = new SocketsHttpHandler { UseProxy = !server.IsLoopback, ConnectTimeout = _connectPatience };
            return new AdminClient(new HttpMessageInvoker(handler), new Uri(server.GetLeftPart(UriPartial.Authority)), key, server.Host);
        }

        var variables = new UpstreamVariables();
        var source = ConfigurationLookup.Find(configurationFile, variables);
        if (LocalSocket.PathFor(source) is { } path && await IsServedAsync(path, cancellation))
        {
            return new AdminClient(new HttpMessageInvoker(LocalSocket.CreateHandler(path)), new Uri("http://localhost"), null, "the instance that runs here");
        }

        var direct = await DirectAdmin.OpenAsync(source, variables, cancellation);
        return new AdminClient(new HttpMessageInvoker(direct), new Uri("http://localhost"), null, "the store", direct);
    }

    public Task<JsonElement> GetAsync(string path, CancellationToken cancellation, bool isLong = false) => SendAsync(HttpMethod.Get, path, null, cancellation, isLong);

    /// <summary>All that a list has, page by page.</summary>
    /// <param name="path">With a query or without.</param>
    /// <param name="member">Of the answer, an array of objects.</param>
    /// <param name="id">Of those objects, the member that names one.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<IReadOnlyList<JsonElement>> ListAsync(string path, string member, string id, CancellationToken cancellation)
    {
        var (all, next) = (new List<JsonElement>(), $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}limit={PageSize}");
        while (true)
        {
            var page = await GetAsync(all.Count == 0 ? next : $"{next}&after={Uri.EscapeDataString(all[^1].GetProperty(id).GetString()!)}", cancellation);
            var before = all.Count;
            all.AddRange(page.GetProperty(member).EnumerateArray());

            // One of an older version gives all of them at once, and says nothing of more.
            if (all.Count == before || !page.TryGetProperty("has_more", out var hasMore) || !hasMore.GetBoolean())
            {
                return all;
            }
        }
    }

    /// <param name="method">The method.</param>
    /// <param name="path">Behind the API's own.</param>
    /// <param name="members">Writes the members of the body; null: there is none.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="isLong">As long as the store takes: it would go on with what it was asked for, and nobody would know what came of it.</param>
    public Task<JsonElement> SendAsync(HttpMethod method, string path, Action<Utf8JsonWriter>? members, CancellationToken cancellation, bool isLong = false)
    {
        ByteArrayContent? content = null;
        if (members is not null)
        {
            using var bytes = new MemoryStream();
            using (var json = new Utf8JsonWriter(bytes))
            {
                json.WriteStartObject();
                members(json);
                json.WriteEndObject();
            }

            content = new ByteArrayContent(bytes.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        return SendContentAsync(method, path, content, cancellation, isLong);
    }

    /// <summary>Asks, and gives the answer's JSON.</summary>
    /// <exception cref="RefusedException">It was refused, or nobody answered.</exception>
    public async Task<JsonElement> SendContentAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellation, bool isLong = false)
    {
        using var response = await AskAsync(method, path, content, isLong, cancellation);
        try
        {
            using var body = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(cancellation), cancellationToken: cancellation);
            return body.RootElement.Clone();
        }
        catch (Exception broken) when (broken is JsonException or IOException or HttpRequestException)
        {
            throw new RefusedException($"{Described} gave an answer that is no JSON.");
        }
    }

    /// <summary>Copies an answer as it comes, for what is too long to be held.</summary>
    public async Task CopyAsync(string path, Stream output, CancellationToken cancellation)
    {
        using var response = await AskAsync(HttpMethod.Get, path, null, isLong: true, cancellation);
        await response.Content.CopyToAsync(output, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_owned is not null)
        {
            await _owned.DisposeAsync();
        }
    }

    private async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, HttpContent? content, bool isLong, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, new Uri(_server, Prefix + path)) { Content = content };
        if (_key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _key);
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(isLong ? Timeout.InfiniteTimeSpan : _patience);
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, patience.Token);
        }
        catch (HttpRequestException failure)
        {
            throw new RefusedException($"{Described} cannot be reached: {failure.Message}");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new RefusedException($"{Described} did not answer in {_patience.TotalSeconds:0} s.");
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw new RefusedException(await ReasonAsync(response, cancellation));
        }
    }

    private static async Task<string> ReasonAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        try
        {
            using var body = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellation));
            return body.RootElement.GetProperty("error").GetProperty("message").GetString() ?? "";
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or HttpRequestException)
        {
            return $"Refused with status {(int)response.StatusCode}, without saying why.";
        }
    }

    private static async Task<bool> IsServedAsync(string path, CancellationToken cancellation)
    {
        if (!Path.Exists(path))
        {
            return false;
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
