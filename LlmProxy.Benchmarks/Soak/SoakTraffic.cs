using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace LlmProxy.Benchmarks.Soak;

/// <summary>Clients of all kinds. One request in five is given up, anywhere between its first byte and its last.</summary>
internal sealed class SoakTraffic(Uri address) : IDisposable
{
    private static readonly string _padding = new('x', 300_000);

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 1024 })
    {
        BaseAddress = address,
        Timeout = TimeSpan.FromMinutes(2),
    };

    private long _whole;
    private long _broken;
    private long _aborted;
    private long _refused;
    private long _unexpected;

    /// <summary>Answers that were neither what was meant nor one of the failures that the upstream plays.</summary>
    public long Unexpected => Volatile.Read(ref _unexpected);

    public override string ToString() => $"{_whole} whole, {_broken} failed upstream, {_aborted} given up, {_refused} refused, {_unexpected} unexpected";

    public async Task RunAsync(int clients, CancellationToken stopping) =>
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => RunOneAsync(stopping)));

    public void Dispose() => _client.Dispose();

    private async Task RunOneAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            switch (Random.Shared.Next(10))
            {
                case 0 or 1:
                    await GiveUpAsync();
                    break;
                case 2:
                    await RefusedAsync();
                    break;
                case 3 or 4 or 5:
                    await AskAsync(stream: false, _padding[..Random.Shared.Next(_padding.Length)]);
                    break;
                default:
                    await AskAsync(stream: true, _padding[..Random.Shared.Next(5000)]);
                    break;
            }
        }
    }

    private async Task AskAsync(bool stream, string padding)
    {
        try
        {
            using var request = Request(stream, padding);
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var text = await response.Content.ReadAsStringAsync();
            var isWhole = response.StatusCode == HttpStatusCode.OK && text.EndsWith(stream ? "data: [DONE]\n\n" : "}", StringComparison.Ordinal);
            Interlocked.Increment(ref isWhole ? ref _whole : ref response.StatusCode == HttpStatusCode.BadGateway ? ref _broken : ref _unexpected);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // A stream that broke ends so, for every client.
            Interlocked.Increment(ref _broken);
        }
    }

    private async Task GiveUpAsync()
    {
        using var patience = new CancellationTokenSource(Random.Shared.Next(1, 150));
        try
        {
            using var request = Request(stream: Random.Shared.Next(4) > 0, _padding);
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            await response.Content.ReadAsStringAsync(patience.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // That was the point.
        }

        Interlocked.Increment(ref _aborted);
    }

    private async Task RefusedAsync()
    {
        using var request = Request(stream: true, "");
        var expected = HttpStatusCode.NotFound;
        switch (Random.Shared.Next(3))
        {
            case 0:
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "sk-wrong");
                expected = HttpStatusCode.Unauthorized;
                break;
            case 1:
                request.Content = new StringContent("{\"model\":", Encoding.UTF8, "application/json");
                expected = HttpStatusCode.BadRequest;
                break;
            default:
                request.RequestUri = new Uri("/v1/nothing", UriKind.Relative);
                break;
        }

        using var response = await _client.SendAsync(request);

        // Whoever tries wrong keys for long is told to wait.
        var isSlowedDown = expected == HttpStatusCode.Unauthorized && response.StatusCode == HttpStatusCode.TooManyRequests;
        Interlocked.Increment(ref response.StatusCode == expected || isSlowedDown ? ref _refused : ref _unexpected);
    }

    private static HttpRequestMessage Request(bool stream, string padding)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/chat/completions", UriKind.Relative))
        {
            Content = new StringContent(
                $"{{\"model\":\"{SoakProxy.Model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{padding}\"}}],\"stream\":{(stream ? "true" : "false")}}}",
                Encoding.UTF8,
                "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", SoakProxy.Key);
        return request;
    }
}
