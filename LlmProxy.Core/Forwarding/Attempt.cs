namespace LlmProxy.Core.Forwarding;

/// <summary>One request on its way to a target, and what is known of the connection that carries it.</summary>
internal sealed class Attempt
{
    private static readonly HttpRequestOptionsKey<Attempt> _key = new("LlmProxy.Attempt");

    [ThreadStatic]
    private static Attempt? _current;

    private UpstreamConnection? _connection;
    private bool _wasUsedBefore;

    /// <summary>
    /// The attempt whose first bytes are being sent by this thread right now. A kept connection takes them before the HTTP client
    /// gives the thread back; where it had to wait for a connection there is none, and nothing is repeated.
    /// </summary>
    public static Attempt? Current => _current;

    /// <summary>A connection was opened for this attempt: what failed then failed on top of it.</summary>
    public bool HasConnected { get; private set; }

    /// <summary>
    /// The connection had carried a request before, and it ended without a byte of an answer: most likely the upstream closed
    /// it, unused, in the moment in which we sent. On a new connection it would not have happened.
    /// </summary>
    public bool WasLost => _wasUsedBefore && _connection is { IsAnswered: false };

    /// <summary>The attempt that a request was made for.</summary>
    public static Attempt? Of(HttpRequestMessage message) =>
        message is AttemptMessage { Attempt: { } known } ? known : message.Options.TryGetValue(_key, out var attempt) ? attempt : null;

    /// <summary>Sends a request as this attempt.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpMessageInvoker client, HttpRequestMessage message, CancellationToken cancellation)
    {
        if (message is AttemptMessage own)
        {
            own.Attempt = this;
        }

        // The options are a dictionary, which costs more than all else of the message: only where somebody may send a copy.
        if (client is not UpstreamInvoker { IsPlain: true } || message is not AttemptMessage)
        {
            message.Options.Set(_key, this);
        }

        var outer = _current;
        _current = this;
        try
        {
            return client.SendAsync(message, cancellation);
        }
        finally
        {
            _current = outer;
        }
    }

    public void NoteConnected() => HasConnected = true;

    public void NoteSent(UpstreamConnection connection, bool wasUsedBefore)
    {
        _connection = connection;
        _wasUsedBefore = wasUsedBefore;
    }
}

/// <summary>A request that knows whose it is.</summary>
internal sealed class AttemptMessage(HttpMethod method, Uri address) : HttpRequestMessage(method, address)
{
    public Attempt? Attempt { get; set; }
}
