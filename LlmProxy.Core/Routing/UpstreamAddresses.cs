using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;

namespace LlmProxy.Core.Routing;

/// <summary>
/// The addresses of an upstream's operations, made of configuration and constants. What a client sends is at most a plain id, a
/// checked query, and the name of a deployment.
/// </summary>
internal sealed class UpstreamAddresses
{
    private const int LongestDeployment = 64;

    private readonly Dictionary<Endpoint, Uri> _fixed = new(ReferenceEqualityComparer.Instance);
    private readonly string? _deployments;
    private readonly string _query;

    /// <param name="options">Validated.</param>
    /// <param name="rules">Of its kind.</param>
    /// <param name="endpoints">Whose addresses are worked out now rather than for each request.</param>
    public UpstreamAddresses(UpstreamOptions options, UpstreamKindRules rules, IEnumerable<Endpoint> endpoints)
    {
        var url = options.Url ?? UpstreamKinds.WellKnownAddress(options.Kind)!;
        Base = options.Kind == UpstreamKind.AzureOpenAI ? OfAzure(url, rules.HasDeployments) : WithVersion(url);
        _query = options.ApiVersion is null ? "" : "?api-version=" + Uri.EscapeDataString(options.ApiVersion);
        var stem = Base.AbsoluteUri.TrimEnd('/');
        _deployments = rules.HasDeployments ? stem + "/deployments/" : null;
        Probe = new Uri(stem + rules.Probe + _query);
        foreach (var endpoint in endpoints.Where(e => !e.IsLocal))
        {
            _fixed[endpoint] = new Uri(stem + endpoint.Before + (endpoint.HasId ? "" : _query));
        }
    }

    /// <summary>What they have in common.</summary>
    public Uri Base { get; }

    /// <summary>What a GET finds out whether the upstream is there.</summary>
    public Uri Probe { get; }

    /// <summary>The address of an operation.</summary>
    /// <param name="endpoint">Not a local one.</param>
    /// <param name="id">Of what is asked for; empty where the endpoint has none.</param>
    /// <param name="query">With its question mark, escaped; may be empty.</param>
    /// <param name="model">The model's name there; looked at only where it is part of the path.</param>
    public Uri Of(Endpoint endpoint, string id, string query, string model)
    {
        if (_deployments is not null && endpoint.HasDeploymentPath)
        {
            return new Uri(_deployments + Escape(model) + endpoint.Path + _query);
        }

        var address = _fixed[endpoint];
        return !endpoint.HasId ? address
            : new Uri(address.AbsoluteUri + id + endpoint.After + (_query.Length == 0 || query.Length == 0 ? _query + query : $"{_query}&{query.AsSpan(1)}"));
    }

    /// <summary>What Azure allows as the name of a deployment, but for the names that a path would take for a direction.</summary>
    public static bool IsDeployment(string name) =>
        name.Length is > 0 and <= LongestDeployment
        && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
        && !IsDirection(name);

    // Escaped twice, so that no reader of it arrives at dots: an address takes "%2E%2E" for "..", too.
    private static string Escape(string name) => IsDirection(name) ? name.Replace(".", "%252E", StringComparison.Ordinal) : Uri.EscapeDataString(name);

    private static bool IsDirection(string name) => name.AsSpan().Trim('.').IsEmpty;

    // "http://host:8000" and "http://host:8000/v1" mean the same; a path that names a version anywhere is left alone.
    private static Uri WithVersion(Uri url)
    {
        var path = url.AbsolutePath.TrimEnd('/');
        var hasVersion = path.Split('/').Any(part => part.Length >= 2 && part[0] == 'v' && char.IsAsciiDigit(part[1]));
        return new UriBuilder(url) { Path = hasVersion ? path : path + "/v1" }.Uri;
    }

    // A resource's address, or that of its API as the portal shows it, with or without the version.
    private static Uri OfAzure(Uri url, bool hasDeployments)
    {
        const string api = "/openai";
        var path = url.AbsolutePath.TrimEnd('/');
        path = path.EndsWith(api + "/v1", StringComparison.OrdinalIgnoreCase) ? path[..^"/v1".Length] : path;
        path = path.EndsWith(api, StringComparison.OrdinalIgnoreCase) ? path : path + api;
        return new UriBuilder(url) { Path = hasDeployments ? path : path + "/v1" }.Uri;
    }
}
