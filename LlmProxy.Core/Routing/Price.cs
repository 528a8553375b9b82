using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>What a model costs at an upstream. Immutable.</summary>
internal sealed class Price
{
    private const decimal Million = 1_000_000m;

    private readonly Scale _usual;
    private readonly Dictionary<string, Scale> _tiers = new(StringComparer.OrdinalIgnoreCase);

    public Price(PriceOptions options)
    {
        Options = options;
        _usual = new Scale(options, null);
        foreach (var (tier, rates) in options.Tiers)
        {
            _tiers[tier] = new Scale(options, rates);
        }
    }

    public PriceOptions Options { get; }

    /// <summary>US dollars for a request.</summary>
    /// <param name="usage">What is not known of it counts as nothing.</param>
    /// <param name="tier">The service tier that the answer names; null if none.</param>
    public decimal CostOf(in Usage usage, string? tier)
    {
        var scale = tier is not null && _tiers.TryGetValue(tier, out var special) ? special : _usual;
        ref readonly var rates = ref scale.RatesFor(usage.Input);

        // The input is all of the input, for every provider: its parts have prices of their own.
        var cached = Math.Max(0, usage.CachedInput);
        var written = Math.Max(0, usage.WrittenInput);
        var forHour = Math.Min(written, Math.Max(0, usage.WrittenForHour));
        var plain = Math.Max(0, Math.Max(0, usage.Input) - cached - written);
        var sum = (plain * rates.Input) + (Math.Max(0, usage.Output) * rates.Output);
        if ((cached | written) != 0)
        {
            sum += (cached * rates.CachedInput) + ((written - forHour) * rates.CacheWrite) + (forHour * rates.CacheWrite1h);
        }

        return sum + Options.Request;
    }

    /// <summary>US dollars for one token.</summary>
    private readonly record struct Rates(decimal Input, decimal CachedInput, decimal CacheWrite, decimal CacheWrite1h, decimal Output)
    {
        /// <summary>Of several that say something, the first that does counts.</summary>
        public static Rates Of(params ReadOnlySpan<RateOptions?> from)
        {
            decimal? input = null, cached = null, write = null, write1h = null, output = null;
            foreach (var rates in from)
            {
                input ??= rates?.Input;
                cached ??= rates?.CachedInput;
                write ??= rates?.CacheWrite;
                write1h ??= rates?.CacheWrite1h;
                output ??= rates?.Output;
            }

            return new Rates(
                PerToken(input), PerToken(cached ?? input), PerToken(write ?? input), PerToken(write1h ?? write ?? input), PerToken(output));

            // Exact, and once: to divide costs more than the rest of a sum.
            static decimal PerToken(decimal? perMillion) => (perMillion ?? 0) / Million;
        }
    }

    /// <summary>The rates of one tier, by the length of the input.</summary>
    private sealed class Scale
    {
        private readonly Rates _usual;
        private readonly (long Tokens, Rates Rates)[] _above;

        public Scale(PriceOptions price, RateOptions? tier)
        {
            _usual = Rates.Of(tier, price);

            // From the largest down: the first that is passed counts.
            var above = new List<(long, Rates)>(price.Above.Count);
            foreach (var (tokens, rates) in price.Above.OrderByDescending(static e => e.Key))
            {
                above.Add((tokens, Rates.Of(tier, rates, price)));
            }

            _above = [.. above];
        }

        public ref readonly Rates RatesFor(long input)
        {
            for (var i = 0; i < _above.Length; i++)
            {
                if (input > _above[i].Tokens)
                {
                    return ref _above[i].Rates;
                }
            }

            return ref _usual;
        }
    }
}
