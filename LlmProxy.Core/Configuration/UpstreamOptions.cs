namespace LlmProxy.Core.Configuration;

/// <summary>One provider account: where it is, how to sign in, and how long to wait for it.</summary>
public sealed class UpstreamOptions
{
    /// <summary>What speaks there; decides the auth header, the paths and the operations served. Default <see cref="UpstreamKind.OpenAICompatible"/>.</summary>
    public UpstreamKind Kind { get; set; }

    /// <summary>
    /// The base address, absolute, <c>http</c> or <c>https</c>, ending in <c>/v1</c> or not (both work). May be left out for
    /// kinds whose address is well known. That of an Azure resource may end in <c>/openai/v1</c>, <c>/openai</c> or neither.
    /// </summary>
    public Uri? Url { get; set; }

    /// <summary>
    /// Only for <see cref="UpstreamKind.AzureOpenAI"/>. A date, such as <c>2024-10-21</c> or <c>2025-04-01-preview</c>, asks at the
    /// classic paths, <c>/openai/deployments/{model}/…?api-version=</c>, where the model is the deployment's name. A word, such as
    /// <c>preview</c>, goes with the paths under <c>/openai/v1</c>. Default null: those paths, and no version.
    /// </summary>
    public string? ApiVersion { get; set; }

    /// <summary>The secret that we present there. Default null: no credentials are sent.</summary>
    public string? ApiKey { get; set; }

    /// <summary>Clocks of this upstream.</summary>
    public TimeoutOptions Timeouts { get; set; } = new();

    /// <summary>Operations added to (<c>+embeddings</c>) or taken from (<c>-completions</c>) what the kind serves.</summary>
    public IList<string> Operations { get; } = [];

    /// <summary>Headers sent with every request to this upstream.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>HTTP version spoken to the upstream, 1.1 or 2. Default 1.1: over 2 one lost packet stalls all streams of the connection.</summary>
    public Version HttpVersion { get; set; } = System.Net.HttpVersion.Version11;

    /// <summary>
    /// The egress proxy: an address, <c>None</c>, or <c>Environment</c> (the default: <c>HTTPS_PROXY</c> and its like;
    /// loopback and private addresses go direct).
    /// </summary>
    public string Proxy { get; set; } = "Environment";

    /// <summary>
    /// The whole path of a PEM file with one or more certificates of authorities. This upstream's certificate is trusted if one
    /// of these signed it, and not if only one of the system's did; its name and its dates count as ever. Followed as
    /// the configuration itself is. Default null: the system's authorities.
    /// </summary>
    public string? CaFile { get; set; }

    /// <summary>A stream that ends in <c>[DONE]</c> without finish reasons counts as broken. Default false: some servers never send them.</summary>
    public bool RequireFinishReason { get; set; }

    /// <summary>
    /// Streams are asked for their usage (<c>stream_options.include_usage</c>) where somebody counts it and the client did not ask; what
    /// comes of that is taken out again. Default true; false for a server that refuses requests with it: usage is estimated then.
    /// </summary>
    public bool IncludeUsage { get; set; } = true;

    /// <summary>
    /// The upstream may be at a link-local address (169.254.0.0/16, fe80::/10) or at one of a cloud's metadata service. Default
    /// false: whoever could bend a name or a configuration there would get the machine's own credentials. Loopback and
    /// private addresses need no permission.
    /// </summary>
    public bool AllowLinkLocal { get; set; }

    /// <summary>Words that say what this account is, for example <c>eu</c>: groups and keys may demand them (<see cref="GroupOptions.UpstreamTags"/>).</summary>
    public IList<string> Tags { get; } = [];

    /// <summary>Requests that may be at the upstream at once; more wait in <see cref="Queue"/>. Default 0: no limit.</summary>
    public int Concurrent { get; set; }

    /// <summary>Who waits for a place when <see cref="Concurrent"/> is reached.</summary>
    public QueueOptions Queue { get; set; } = new();

    /// <summary>When the upstream is left alone because it fails.</summary>
    public BreakerOptions Breaker { get; set; } = new();

    /// <summary>Asks the upstream whether it is well without a request of a client. Default null: clients' requests alone tell.</summary>
    public ProbeOptions? Probe { get; set; }
}
