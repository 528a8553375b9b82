using System.Collections.Concurrent;

namespace LlmProxy.Tests.Support;

/// <summary>What the clients of a test saw: ids of answered requests, and whether any byte gave a secret away.</summary>
public sealed class Evidence
{
    private readonly ConcurrentQueue<string> _requestIds = new();
    private readonly ConcurrentQueue<string> _leaks = new();

    /// <summary>The <c>x-request-id</c> of every answer.</summary>
    public IReadOnlyCollection<string> RequestIds => _requestIds;

    /// <summary>Secrets that reached a client.</summary>
    public IReadOnlyCollection<string> Leaks => _leaks;

    public void Watch(RawClient client)
    {
        client.Disposed += received => Scan(received.Span);
        client.Answered += headers => Answered(headers["x-request-id"]);
    }

    /// <summary>A handler for HttpClient whose every received byte and every answer counts as evidence.</summary>
    public HttpMessageHandler NewHandler() => new AnswerHandler(this)
    {
        InnerHandler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            PlaintextStreamFilter = (context, _) =>
                ValueTask.FromResult<Stream>(new RecordingStream(context.PlaintextStream, Scan)),
        },
    };

    private void Scan(ReadOnlySpan<byte> received)
    {
        if (Canary.KeyIn(received) is { } key)
        {
            _leaks.Enqueue($"The key {key} reached a client.");
        }
    }

    private void Answered(string? requestId)
    {
        if (requestId is not null)
        {
            _requestIds.Enqueue(requestId);
        }
    }

    private sealed class AnswerHandler(Evidence evidence) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
            if (response.Headers.TryGetValues("x-request-id", out IEnumerable<string>? values))
            {
                evidence.Answered(values.Single());
            }

            return response;
        }
    }
}
