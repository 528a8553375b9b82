using System.Net.Sockets;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>What an upstream said when it was asked who it is.</summary>
/// <param name="Upstream">Its name.</param>
/// <param name="Elapsed">From the question to the whole answer, or to its failure; connecting is part of it.</param>
/// <param name="Models">How many models it lists; null if it lists none in a form that is known.</param>
/// <param name="Operations">What it serves as it is configured, for example <c>chat</c>.</param>
/// <param name="Failure">Why it cannot be used, in a few words; null if it can. Never holds a secret.</param>
public sealed record UpstreamReport(string Upstream, TimeSpan Elapsed, int? Models, IReadOnlyList<string> Operations, string? Failure);

/// <summary>Asks upstreams whether they are there, on connections of its own: for a look before a configuration is put in force.</summary>
public static class UpstreamInquiry
{
    private const int LongestAnswer = 16 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Asks one for its list of models, with the key that is configured. Costs nothing there.</summary>
    /// <param name="name">The upstream's.</param>
    /// <param name="options">Validated.</param>
    /// <param name="time">Measures it.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static async Task<UpstreamReport> AskAsync(string name, UpstreamOptions options, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        var upstream = new Upstream(name, options, EndpointTable.Rows);
        string[] operations = [.. EndpointTable.Rows.Where(row => !row.IsLocal && (upstream.Operations & row.Operation) != 0).Select(static row => row.Name).Distinct()];
        var began = time.GetTimestamp();
        using var late = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        int? models = null;
        string? failure;
        try
        {
            using var handler = UpstreamHandlers.Create(upstream);
            using var client = new HttpMessageInvoker(handler, disposeHandler: false);
            using var request = Build(upstream);
            using var response = await client.SendAsync(request, either.Token);
            failure = FailureOf((int)response.StatusCode);
            if (response.IsSuccessStatusCode)
            {
                models = Count(await ReadAsync(response, either.Token));
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            failure = late.IsCancellationRequested ? $"no answer within {Patience.TotalSeconds:0} s" : Explain(e, upstream.Address);
        }

        return new UpstreamReport(name, time.GetElapsedTime(began), models, operations, failure);
    }

    private static HttpRequestMessage Build(Upstream upstream)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, upstream.ProbeAddress)
        {
            Version = upstream.Options.HttpVersion,
            VersionPolicy = upstream.Options.HttpVersion.Major == 1 ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var (header, value) in upstream.KindHeaders.Where(h => !upstream.Options.Headers.ContainsKey(h.Key)).Concat(upstream.Options.Headers))
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        if (upstream.Key is { } key)
        {
            request.Headers.TryAddWithoutValidation(key.Key, key.Value);
        }

        return request;
    }

    private static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        using var read = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await body.ReadAsync(buffer, cancellation) is > 0 and var count && read.Length <= LongestAnswer)
        {
            read.Write(buffer, 0, count);
        }

        return read.ToArray();
    }

    private static int? Count(byte[] body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Array
                ? data.GetArrayLength()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Whoever has no such list, or too many requests just now, is there all the same.
    private static string? FailureOf(int status) => status switch
    {
        401 or 403 => $"it refuses our credentials ({status})",
        >= 300 and < 400 => $"it redirects elsewhere ({status}), which is not followed",
        >= 500 => $"it answers with an error ({status})",
        _ => null,
    };

    private static string Explain(Exception exception, Uri address)
    {
        var place = $"{address.Host}:{address.Port}";
        return exception switch
        {
            HttpRequestException { InnerException: GuardedAddressException guarded } => guarded.Message,
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => $"the name {address.Host} leads nowhere",
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => $"no secure connection: its certificate is not trusted, or it speaks no TLS ({place})",
            HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } => "the egress proxy lets nothing through",
            HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused } } => $"connection refused ({place})",
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => $"no connection ({place})",
            OperationCanceledException => $"no connection in time ({place})",
            _ => "it closes the connection, or does not speak HTTP",
        };
    }
}
