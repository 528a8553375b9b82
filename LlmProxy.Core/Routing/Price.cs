using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>What a model costs at an upstream. Immutable.</summary>
internal sealed class Price(PriceOptions options)
{
    private const decimal Million = 1_000_000m;

    public PriceOptions Options { get; } = options;

    /// <summary>US dollars for a request.</summary>
    /// <param name="usage">Known.</param>
    /// <param name="tier">The service tier that the answer names; null if none.</param>
    public decimal CostOf(in Usage usage, string? tier)
    {
        _ = tier;
        return ((Math.Max(0, usage.Input) * (Options.Input ?? 0)) + (Math.Max(0, usage.Output) * (Options.Output ?? 0))) / Million + Options.Request;
    }
}
