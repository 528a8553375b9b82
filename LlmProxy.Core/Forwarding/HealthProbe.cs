using System.Net.Http.Headers;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>What came of one health check.</summary>
/// <param name="IsWell">Requests may go there.</param>
/// <param name="TellsOfMoney">It was a request that costs something, and was answered.</param>
/// <param name="Reason">What was wrong, in words that hold nothing of the upstream's; empty if nothing was.</param>
internal readonly record struct ProbeResult(bool IsWell, bool TellsOfMoney, string Reason);

/// <summary>Asks an upstream whether it is well: for its list of models, or for a completion of one token.</summary>
internal sealed class HealthProbe(UpstreamClients clients, TimeProvider time)
{
    private const int LongestRead = 1 << 20;

    private static readonly Operations[] _asked = [Operations.Chat, Operations.Messages, Operations.Responses, Operations.Completions, Operations.Embeddings];

    /// <summary>Never throws but for a cancellation of the caller's.</summary>
    /// <param name="upstream">Whom to ask; its options have a probe.</param>
    /// <param name="cancellation">The proxy's end.</param>
    public async Task<ProbeResult> AskAsync(Upstream upstream, CancellationToken cancellation)
    {
        var probe = upstream.Options.Probe!;
        using var timeout = new CancellationTokenSource(probe.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            using var message = Build(upstream, probe);
            using var response = await clients.For(upstream).SendAsync(message, either.Token);
            if (FaultOf(response, probe.Model is not null) is { } fault)
            {
                return new ProbeResult(false, false, fault);
            }

            // To its end, so that the connection can be used again, and so that one that dies on the way is seen.
            await ReadAsync(await response.Content.ReadAsStreamAsync(either.Token), either.Token);
            return new ProbeResult(true, probe.Model is not null && response.IsSuccessStatusCode, "");
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (Exception) when (timeout.IsCancellationRequested)
        {
            return new ProbeResult(false, false, "no answer in time");
        }
        catch (Exception e)
        {
            return new ProbeResult(false, false, Faults.BeforeAnswer(e, hasConnected: false).Code);
        }
    }

    // Whoever limits or does not know the question is well: only what would happen to requests as well is a fault.
    private static string? FaultOf(HttpResponseMessage response, bool isCompletion) => (int)response.StatusCode switch
    {
        >= 200 and < 300 => response.Content.Headers.ContentType?.MediaType is "application/json" ? null : "an answer that is not JSON",
        >= 300 and < 400 => "a redirect",
        401 or 403 or 407 or 408 => $"status {(int)response.StatusCode}",
        404 when isCompletion => "status 404: it does not know the model",
        >= 500 => $"status {(int)response.StatusCode}",
        _ => null,
    };

    private static HttpRequestMessage Build(Upstream upstream, ProbeOptions probe)
    {
        var endpoint = probe.Model is null ? null
            : _asked.Where(o => (upstream.Operations & o) != 0).Select(o => EndpointTable.Rows.First(row => row.Operation == o)).FirstOrDefault();
        var message = endpoint is null
            ? new HttpRequestMessage(HttpMethod.Get, upstream.ProbeAddress)
            : new HttpRequestMessage(HttpMethod.Post, upstream.AddressOf(endpoint, "", "", upstream.HasDeployments ? probe.Model! : "")) { Content = Question(endpoint.Operation, probe.Model!) };
        message.Version = upstream.Options.HttpVersion;
        message.VersionPolicy = upstream.Options.HttpVersion.Major == 1 ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact;
        message.Headers.TryAddWithoutValidation("User-Agent", "LlmProxy");
        UpstreamRequest.Put(message, upstream.Headers);
        UpstreamRequest.SignIn(message, upstream);
        return message;
    }

    private static ByteArrayContent Question(Operations operation, string model)
    {
        var body = new System.Buffers.ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("model"u8, model);
            if (operation is Operations.Chat or Operations.Messages)
            {
                json.WriteStartArray("messages"u8);
                json.WriteStartObject();
                json.WriteString("role"u8, "user"u8);
                json.WriteString("content"u8, "ping"u8);
                json.WriteEndObject();
                json.WriteEndArray();
            }
            else
            {
                json.WriteString(operation == Operations.Completions ? "prompt"u8 : "input"u8, "ping"u8);
            }

            if (operation == Operations.Responses)
            {
                // The least that it takes.
                json.WriteNumber("max_output_tokens"u8, 16);
                json.WriteBoolean("store"u8, false);
            }
            else if (operation != Operations.Embeddings)
            {
                json.WriteNumber("max_tokens"u8, 1);
            }

            json.WriteEndObject();
        }

        return new ByteArrayContent(body.WrittenSpan.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
    }

    private static async Task ReadAsync(Stream body, CancellationToken cancellation)
    {
        var buffer = new byte[4096];
        var read = 0;
        while (read < LongestRead && await body.ReadAsync(buffer, cancellation) is > 0 and var count)
        {
            read += count;
        }
    }
}
