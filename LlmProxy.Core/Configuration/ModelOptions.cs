using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>What one public model name, or a pattern of names, leads to and how its requests are changed on the way.</summary>
public sealed class ModelOptions
{
    /// <summary>Where requests go. At least one. A target that does not serve the operation is no candidate for it.</summary>
    public IList<TargetOptions> Targets { get; } = [];

    /// <summary>Further names for the same model.</summary>
    public IList<string> Aliases { get; } = [];

    /// <summary>Top-level JSON parameters that every request gets, whatever the caller sent.</summary>
    public IDictionary<string, JsonElement> Set { get; } = new Dictionary<string, JsonElement>(StringComparer.Ordinal);

    /// <summary>Top-level JSON parameters for requests that do not have them.</summary>
    public IDictionary<string, JsonElement> Default { get; } = new Dictionary<string, JsonElement>(StringComparer.Ordinal);

    /// <summary>Top-level JSON parameters that are taken out of every request.</summary>
    public IList<string> Remove { get; } = [];

    /// <summary>Headers sent upstream with every request for this model.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Which name answers carry. Default <see cref="ResponseModelName.Upstream"/>: as it comes, no byte changed.</summary>
    public ResponseModelName ResponseModel { get; set; }

    /// <summary>
    /// How one of several targets of the same priority is chosen. Default null: <see cref="TargetBalance.Weighted"/> where a target
    /// has a weight or priority of its own, or where <see cref="Sticky"/> is set, else <see cref="TargetBalance.InOrder"/>.
    /// </summary>
    public TargetBalance? Balance { get; set; }

    /// <summary>
    /// Keeps a caller on one target of a weighted choice: <c>Key</c>, <c>User</c> (the end user named in the request) or
    /// <c>Header:name</c>. Default null: each request is a new choice.
    /// </summary>
    public string? Sticky { get; set; }

    /// <summary>Tokens that the model's context window holds, for targets that do not say their own. Default null: not known.</summary>
    public int? Context { get; set; }

    /// <summary>Clocks of this model, in place of those of its upstreams.</summary>
    public ModelTimeoutOptions Timeouts { get; set; } = new();

    /// <summary>Asks a second target when the first is slow. Default null: no.</summary>
    public HedgeOptions? Hedge { get; set; }

    /// <summary>Copies a share of the traffic to another target. Default null: no.</summary>
    public MirrorOptions? Mirror { get; set; }

    /// <summary>
    /// Identical requests that one key has under way at the same time, for embeddings or with temperature 0, share one call of the
    /// upstream. Default false.
    /// </summary>
    public bool Coalesce { get; set; }
}

/// <summary>One place a model may be served from.</summary>
public sealed class TargetOptions
{
    /// <summary>A name in <see cref="LlmProxyOptions.Upstreams"/>.</summary>
    public string Upstream { get; set; } = "";

    /// <summary>The model's name there; a star in it carries over what the pattern's star stood for.</summary>
    public string Model { get; set; } = "";

    /// <summary>Share of the traffic among the targets of one priority. 0: none but by failover. Default null: 1.</summary>
    public int? Weight { get; set; }

    /// <summary>
    /// Lower numbers are asked first, others only when those fail. Default null: 0, or with
    /// <see cref="TargetBalance.InOrder"/> the target's place in the list.
    /// </summary>
    public int? Priority { get; set; }

    /// <summary>
    /// Tokens that the context window holds here. A request that is too long for one target is sent to one with a larger window.
    /// Default null: <see cref="ModelOptions.Context"/>.
    /// </summary>
    public int? Context { get; set; }

    /// <summary>What it costs here. Default null: what <see cref="LlmProxyOptions.Prices"/> says.</summary>
    public PriceOptions? Price { get; set; }
}

/// <summary>The model name in answers.</summary>
public enum ResponseModelName
{
    /// <summary>As the upstream wrote it.</summary>
    Upstream,

    /// <summary>As the caller asked for it.</summary>
    Asked,
}

/// <summary>How one of a model's targets of the same priority is chosen for a request.</summary>
public enum TargetBalance
{
    /// <summary>In the order in which they are written; the next only if the one before fails.</summary>
    InOrder,

    /// <summary>By chance, in proportion to the weights.</summary>
    Weighted,

    /// <summary>The better of two that chance has drawn, by requests under way and time to the first event.</summary>
    LeastLoaded,

    /// <summary>The one that served the same conversation before, whose prompt cache is warm, unless it has much more to do than the others.</summary>
    Affinity,
}
