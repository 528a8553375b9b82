namespace LlmProxy.Core.Configuration;

/// <summary>Where the executable listens.</summary>
public sealed class ListenOptions
{
    /// <summary>The address of the API, <c>http://</c> or <c>https://</c>. Default null: what <c>--urls</c> says, else 127.0.0.1:8000.</summary>
    public string? Api { get; set; }

    /// <summary>The address of <c>/metrics</c> when the API is not on loopback. Default null: none.</summary>
    public string? Admin { get; set; }

    /// <summary>A PEM file with the certificate chain and its private key; needed for <c>https://</c>.</summary>
    public string? Certificate { get; set; }

    /// <summary>
    /// Proxies in front, as addresses (<c>10.0.0.7</c>) or networks (<c>10.0.0.0/8</c>): a client's address is what they say it is in
    /// <c>X-Forwarded-For</c>. Default: none, and that header is not read.
    /// </summary>
    public IList<string> TrustedProxies { get; } = [];
}
