using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>An upstream and the model's name there.</summary>
internal sealed class Target
{
    private readonly int _star;
    private readonly byte[] _json;
    private readonly Dictionary<Endpoint, Uri>? _addresses;

    /// <param name="upstream">Where.</param>
    /// <param name="model">The name there; a star in it stands for what the route's star stood for.</param>
    /// <param name="timeouts">Its clocks; null: the upstream's.</param>
    public Target(Upstream upstream, string model, TimeoutOptions? timeouts = null)
    {
        Upstream = upstream;
        Model = model;
        Timeouts = timeouts ?? upstream.Timeouts;
        _star = model.IndexOf('*');
        _json = Encode(model);
        if (upstream.HasDeployments && _star < 0)
        {
            _addresses = new(ReferenceEqualityComparer.Instance);
            foreach (var endpoint in EndpointTable.Rows.Where(row => row.HasDeploymentPath))
            {
                _addresses[endpoint] = upstream.AddressOf(endpoint, "", "", model);
            }
        }
    }

    public Upstream Upstream { get; }

    /// <summary>As configured, with its star if it has one.</summary>
    public string Model { get; }

    /// <summary>The upstream's clocks, or what the model says in their place.</summary>
    public TimeoutOptions Timeouts { get; }

    /// <summary>Its share among the targets of its priority; 0: none but by failover.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Lower ones are asked first.</summary>
    public int Priority { get; init; }

    /// <summary>Tokens that its context window holds; 0 if that is not known.</summary>
    public int Context { get; init; }

    /// <summary>Its prices, where the star in its name decides which.</summary>
    public TargetPrice? PricesByStar { get; init; }

    /// <summary>Its price, where that is always the same one; null if it has none.</summary>
    public Price? Price { get; init; }

    /// <summary>The price that it was given itself; null if it has that of its model.</summary>
    public Price? OwnPrice { get; init; }

    /// <summary>May this be its model's name, whatever its star stands for?</summary>
    public bool MayBeCalled(string model) => _star < 0
        ? model == Model
        : model.Length >= Model.Length - 1 && model.AsSpan().StartsWith(Model.AsSpan(0, _star), StringComparison.Ordinal)
            && model.AsSpan().EndsWith(Model.AsSpan(_star + 1), StringComparison.Ordinal);

    /// <summary>What it costs; null if that is not known. Allocates nothing for a name that was asked for before.</summary>
    /// <param name="star">What the star stood for.</param>
    public Price? PriceFor(ReadOnlySpan<char> star) => PricesByStar is { } prices ? prices.For(this, star) : Price;

    /// <summary>The name to send for what the star stood for.</summary>
    public string ModelFor(ReadOnlySpan<char> star) => _star < 0 ? Model : string.Concat(Model.AsSpan(0, _star), star, Model.AsSpan(_star + 1));

    /// <summary>The same as a JSON string.</summary>
    public ReadOnlyMemory<byte> ModelJsonFor(ReadOnlySpan<char> star) => _star < 0 ? _json : Encode(ModelFor(star));

    /// <summary>Where it is asked.</summary>
    /// <param name="endpoint">For what; not a local one.</param>
    /// <param name="id">Of what is asked for; empty where the endpoint has none.</param>
    /// <param name="query">With its question mark, escaped; may be empty.</param>
    /// <param name="star">What the star stood for.</param>
    public Uri AddressOf(Endpoint endpoint, string id, string query, ReadOnlySpan<char> star) =>
        _addresses?.GetValueOrDefault(endpoint) ?? Upstream.AddressOf(endpoint, id, query, Upstream.HasDeployments ? InPath(star) : "");

    /// <summary>
    /// False where the name would become part of a path, the client chose what the star stands for, and no deployment can be
    /// called so: such a name is not sent to see what the other side makes of it.
    /// </summary>
    public bool CanBeNamed(ReadOnlySpan<char> star) => _star < 0 || !Upstream.HasDeployments || UpstreamAddresses.IsDeployment(ModelFor(star));

    /// <summary>It may be asked for that.</summary>
    public bool Serves(Operations operation, ReadOnlySpan<char> star) => (Upstream.Operations & operation) != 0 && CanBeNamed(star);

    /// <summary>A text as a JSON string with its quotes.</summary>
    public static byte[] Encode(string text) =>
        Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(text, ErrorText.JsonOptions.Encoder)}\"");

    // Nobody asks with a name that cannot be one; if somebody does, it is escaped once more, so that no server between here and
    // there arrives at a slash or a dot that the client put there.
    private string InPath(ReadOnlySpan<char> star) => CanBeNamed(star) ? ModelFor(star) : Uri.EscapeDataString(ModelFor(star));
}
