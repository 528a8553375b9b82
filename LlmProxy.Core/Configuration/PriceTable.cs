using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Prices</c> and in a target's <c>Price</c>.</summary>
internal static class PriceTable
{
    private static readonly MapShape<TierOptions> Tiers = new(new ObjectShape<TierOptions>(static () => new TierOptions(), Rates<TierOptions>()), static () => new());

    public static ObjectShape<PriceOptions> Shape { get; } = new(
        static () => new PriceOptions(),
        [
            .. Rates<PriceOptions>(),
            new Member<PriceOptions, decimal>("Request", MoneyShape.Instance, static (o, v) => o.Request = v),
            new Member<PriceOptions, IReadOnlyList<KeyValuePair<long, TierOptions>>>("Above", new ThresholdsShape(Tiers), static (o, v) =>
            {
                foreach (var (tokens, rates) in v)
                {
                    o.Above[tokens] = rates;
                }
            }),
            Collections.Map<PriceOptions, TierOptions>("Tiers", Tiers, static o => o.Tiers),
        ])
    { IsNamedByOperator = true };

    private static Member<T>[] Rates<T>()
        where T : RateOptions =>
    [
        new Member<T, decimal>("Input", MoneyShape.Instance, static (o, v) => o.Input = v),
        new Member<T, decimal>("CachedInput", MoneyShape.Instance, static (o, v) => o.CachedInput = v),
        new Member<T, decimal>("CacheWrite", MoneyShape.Instance, static (o, v) => o.CacheWrite = v),
        new Member<T, decimal>("CacheWrite1h", MoneyShape.Instance, static (o, v) => o.CacheWrite1h = v),
        new Member<T, decimal>("Output", MoneyShape.Instance, static (o, v) => o.Output = v),
    ];
}

/// <summary>An object whose members are called by numbers of tokens.</summary>
internal sealed class ThresholdsShape(MapShape<TierOptions> map) : Shape<IReadOnlyList<KeyValuePair<long, TierOptions>>>
{
    public Shape<TierOptions> EntryShape => map.EntryShape;

    public override string Expected => map.Expected;

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out IReadOnlyList<KeyValuePair<long, TierOptions>> value)
    {
        value = null;
        if (!map.TryRead(node, reading, out var named))
        {
            return false;
        }

        var entries = new List<KeyValuePair<long, TierOptions>>(named.Count);
        foreach (var (name, rates) in named)
        {
            if (long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) && tokens > 0)
            {
                entries.Add(new(tokens, rates));
            }
            else
            {
                reading.Refuse(node.Children.First(c => c.Name == name).Node, $"{Problems.Quote(name)} is no number of tokens: write for example \"200000\".");
            }
        }

        value = entries;
        return true;
    }
}
