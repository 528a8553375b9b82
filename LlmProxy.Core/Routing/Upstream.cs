using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>A provider account, compiled: addresses, credentials and clocks ready for use. Immutable but for what it keeps back.</summary>
internal sealed class Upstream
{
    /// <summary>Stands before a generation in <see cref="ClientName"/>; no name of an upstream has it.</summary>
    public const char GenerationMark = '#';

    // A configured header may hold a secret; one that is shorter than any secret is a word that messages use.
    private const int ShortestSecret = 12;

    private readonly UpstreamKindRules _rules;
    private readonly UpstreamAddresses _addresses;
    private volatile Redactor _redactor;
    private string[] _headers;

    /// <param name="name">As configured.</param>
    /// <param name="options">Validated.</param>
    /// <param name="endpoints">Whose addresses are worked out now rather than for each request.</param>
    /// <param name="headers">Values of headers that models add; null if none do.</param>
    /// <param name="generation">Of the configuration that brought it, or brought it in this form.</param>
    public Upstream(string name, UpstreamOptions options, IEnumerable<Endpoint> endpoints, IEnumerable<string>? headers = null, long generation = 1)
    {
        Name = name;
        ClientName = generation == 1 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}{GenerationMark}{generation}");
        Options = options;
        _rules = UpstreamKindRules.For(options);
        _addresses = new UpstreamAddresses(options, _rules, endpoints);
        Authorities = options.CaFile is null ? null : AuthorityFile.Read(options.CaFile);
        Operations = Apply(options.Operations, _rules.Operations);
        Key = options.ApiKey is null ? null : new(_rules.KeyHeader, _rules.KeyPrefix + options.ApiKey);
        Headers = [.. options.Headers];
        _headers = [.. headers ?? []];
        _redactor = CreateRedactor(_headers);
    }

    public string Name { get; }

    /// <summary>
    /// Names its HTTP pipeline, which no other has had: <c>openai</c>, or <c>openai#7</c> for one that came or changed with
    /// the seventh generation. Streams of the one before go on in theirs.
    /// </summary>
    public string ClientName { get; }

    /// <summary>The base address, version included.</summary>
    public Uri Address => _addresses.Base;

    /// <summary>What a GET, with the key and the headers of the kind, finds out whether it is there.</summary>
    public Uri ProbeAddress => _addresses.Probe;

    /// <summary>Some operations name the model in their path.</summary>
    public bool HasDeployments => _rules.HasDeployments;

    /// <summary>Who may have signed its certificate; null for whom the system trusts.</summary>
    public X509Certificate2Collection? Authorities { get; }

    public string Provider => _rules.Provider;

    public UpstreamOptions Options { get; }

    public TimeoutOptions Timeouts => Options.Timeouts;

    public Operations Operations { get; }

    public bool MapsFinishReasons => _rules.MapsFinishReasons;

    /// <summary>May requests go there that demand these tags?</summary>
    public bool Carries(string[] tags)
    {
        foreach (var tag in tags)
        {
            if (!Options.Tags.Contains(tag))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The header that signs us in; null if none is sent.</summary>
    public KeyValuePair<string, string>? Key { get; }

    /// <summary>Headers that the configuration adds.</summary>
    public KeyValuePair<string, string>[] Headers { get; }

    /// <summary>Headers of the kind, sent where the request has none of that name.</summary>
    public KeyValuePair<string, string>[] KindHeaders => _rules.Headers;

    public Redactor Redactor => _redactor;

    /// <inheritdoc cref="UpstreamAddresses.Of"/>
    public Uri AddressOf(Endpoint endpoint, string id, string query, string model) => _addresses.Of(endpoint, id, query, model);

    /// <summary>It is what these options describe, the certificates in its file included: nothing of it has to be made anew.</summary>
    public bool IsStill(UpstreamOptions options) =>
        UpstreamEquality.Same(Options, options)
        && (Authorities is null || Authorities.Select(static c => c.Thumbprint).SequenceEqual(AuthorityFile.Read(options.CaFile!).Select(static c => c.Thumbprint)));

    /// <summary>
    /// Goes on in another generation, whose models may add other headers. Those of the one before are kept back as well: its
    /// requests may still run.
    /// </summary>
    public Upstream WithHeaders(string[] headers)
    {
        if (!headers.AsSpan().SequenceEqual(_headers))
        {
            _redactor = CreateRedactor(headers.Union(_headers));
            _headers = headers;
        }

        return this;
    }

    public override string ToString() => Name;

    private Redactor CreateRedactor(IEnumerable<string> headers) => new(
    [
        Options.ApiKey, Address.AbsoluteUri.TrimEnd('/'), IsTelling(Address) ? Address.Authority : null,
        .. Options.Headers.Values.Concat(headers).Where(v => v.Length >= ShortestSecret),
    ]);

    // A name of two letters would redact half of every message.
    private static bool IsTelling(Uri url) => url.Host.Length > 3;

    private static Operations Apply(IList<string> changes, Operations operations)
    {
        foreach (var change in changes)
        {
            var operation = EndpointTable.Rows.First(row => change.AsSpan(1).SequenceEqual(row.Name)).Operation;
            operations = change[0] == '+' ? operations | operation : operations & ~operation;
        }

        return operations;
    }
}
