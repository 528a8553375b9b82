using System.Globalization;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>A provider account, compiled: addresses, credentials and clocks ready for use. Immutable.</summary>
internal sealed class Upstream
{
    /// <summary>Stands before a generation in <see cref="ClientName"/>; no name of an upstream has it.</summary>
    public const char GenerationMark = '#';

    // A configured header may hold a secret; one that is shorter than any secret is a word that messages use.
    private const int ShortestSecret = 12;

    private readonly UpstreamKindRules _rules;
    private readonly Dictionary<Endpoint, Uri> _addresses = new(ReferenceEqualityComparer.Instance);

    /// <param name="name">As configured.</param>
    /// <param name="options">Validated.</param>
    /// <param name="endpoints">Whose addresses are worked out now rather than for each request.</param>
    /// <param name="generation">Of the configuration that brought it, or brought it in this form.</param>
    public Upstream(string name, UpstreamOptions options, IEnumerable<Endpoint> endpoints, long generation = 1)
    {
        Name = name;
        ClientName = generation == 1 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}{GenerationMark}{generation}");
        Options = options;
        _rules = UpstreamKindRules.For(options.Kind);
        Address = WithVersion(options.Url ?? UpstreamKinds.WellKnownAddress(options.Kind)!);
        Operations = Apply(options.Operations, _rules.Operations);
        Key = options.ApiKey is null ? null : new(_rules.KeyHeader, _rules.KeyPrefix + options.ApiKey);
        Redactor = new Redactor(
        [
            options.ApiKey, Address.AbsoluteUri.TrimEnd('/'), IsTelling(Address) ? Address.Authority : null,
            .. options.Headers.Values.Where(v => v.Length >= ShortestSecret),
        ]);
        foreach (var endpoint in endpoints.Where(e => !e.IsLocal))
        {
            _addresses[endpoint] = new Uri(Address, Address.AbsolutePath.TrimEnd('/') + endpoint.Before);
        }
    }

    public string Name { get; }

    /// <summary>
    /// Names its HTTP pipeline, which no other has had: <c>openai</c>, or <c>openai#7</c> for one that came or changed with
    /// the seventh generation. Streams of the one before go on in theirs.
    /// </summary>
    public string ClientName { get; }

    /// <summary>The base address, version included.</summary>
    public Uri Address { get; }

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

    /// <summary>Headers of the kind, sent where the request has none of that name.</summary>
    public KeyValuePair<string, string>[] KindHeaders => _rules.Headers;

    public Redactor Redactor { get; }

    /// <summary>Where an operation is. Made of configuration and constants only; what a client sends is at most a plain id and a checked query.</summary>
    /// <param name="endpoint">Not a local one.</param>
    /// <param name="id">Of what is asked for; empty where the endpoint has none.</param>
    /// <param name="query">With its question mark, escaped; may be empty.</param>
    public Uri AddressOf(Endpoint endpoint, string id, string query) =>
        endpoint.HasId ? new Uri(_addresses[endpoint].AbsoluteUri + id + endpoint.After + query) : _addresses[endpoint];

    public override string ToString() => Name;

    // "http://host:8000" and "http://host:8000/v1" mean the same; a path that names a version anywhere is left alone.
    private static Uri WithVersion(Uri url)
    {
        var path = url.AbsolutePath.TrimEnd('/');
        var hasVersion = path.Split('/').Any(part => part.Length >= 2 && part[0] == 'v' && char.IsAsciiDigit(part[1]));
        return new UriBuilder(url) { Path = hasVersion ? path : path + "/v1" }.Uri;
    }

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
