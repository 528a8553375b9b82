using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>What one public model name, or a pattern of names, leads to and how its requests are changed on the way.</summary>
public sealed class ModelOptions
{
    /// <summary>Where requests go, in order. At least one. This version uses the first that serves the operation.</summary>
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

    /// <summary>How one of several targets is chosen. Not yet acted on: the first target is used. Default <see cref="TargetBalance.InOrder"/>.</summary>
    public TargetBalance Balance { get; set; }

    /// <summary>Tokens that the model's context window holds. Not yet acted on. Default null: not known.</summary>
    public int? Context { get; set; }
}

/// <summary>One place a model may be served from.</summary>
public sealed class TargetOptions
{
    /// <summary>A name in <see cref="LlmProxyOptions.Upstreams"/>.</summary>
    public string Upstream { get; set; } = "";

    /// <summary>The model's name there; a star in it carries over what the pattern's star stood for.</summary>
    public string Model { get; set; } = "";

    /// <summary>Share of the traffic among equals. Not yet acted on: the first target is used. Default 1.</summary>
    public int Weight { get; set; } = 1;
}

/// <summary>The model name in answers.</summary>
public enum ResponseModelName
{
    /// <summary>As the upstream wrote it.</summary>
    Upstream,

    /// <summary>As the caller asked for it.</summary>
    Asked,
}

/// <summary>How one of a model's targets is chosen for a request.</summary>
public enum TargetBalance
{
    /// <summary>In the order in which they are written; the next only if the one before fails.</summary>
    InOrder,

    /// <summary>The one that served the same conversation before, whose prompt cache is warm.</summary>
    Affinity,
}
