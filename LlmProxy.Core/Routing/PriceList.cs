using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Routing;

/// <summary>The prices that are configured by pattern. Immutable.</summary>
internal sealed class PriceList
{
    private readonly (PricePattern Pattern, Price Price)[] _prices;

    public PriceList(LlmProxyOptions options)
    {
        var prices = new List<(PricePattern Pattern, Price Price)>(options.Prices.Count);
        foreach (var (name, price) in options.Prices)
        {
            if (PricePattern.TryParse(name, out var pattern))
            {
                prices.Add((pattern, new Price(price)));
            }
        }

        _prices = [.. prices.OrderByDescending(static p => p.Pattern.Weight).ThenByDescending(static p => p.Pattern.Upstream.Length)];
    }

    public bool IsEmpty => _prices.Length == 0;

    /// <summary>What a model costs at an upstream, by the longest pattern that fits; null if it has no price.</summary>
    public Price? Find(string upstream, string model)
    {
        foreach (var (pattern, price) in _prices)
        {
            if (pattern.FitsModel(model) && pattern.FitsUpstream(upstream))
            {
                return price;
            }
        }

        return null;
    }
}
