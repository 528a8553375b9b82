using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>What a model costs at an upstream. Immutable.</summary>
internal sealed class Price
{
    private const decimal Million = 1_000_000m;
    private const decimal Trillion = Million * Million;

    // 2^24 tokens at 2^36 each, of both kinds, and a request of 2^60: less than 2^62. That is 68,000 dollars per million tokens.
    private const ulong MostTokens = 1UL << 24;
    private const long MostPerToken = 1L << 36;
    private const long MostPerRequest = 1L << 60;

    private readonly Scale _usual;
    private readonly long _wholeRequest;
    private readonly Dictionary<string, Scale> _tiers = new(StringComparer.OrdinalIgnoreCase);

    public Price(PriceOptions options)
    {
        Options = options;
        _wholeRequest = Whole(options.Request, MostPerRequest);
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

    /// <summary>
    /// What a request will cost that uses no cache, in whole trillionths of a dollar and without decimals, which are most of what such
    /// a question costs.
    /// </summary>
    /// <returns>False if the rates are no such numbers, or a sum may not fit: then <see cref="CostOf"/> tells.</returns>
    public bool TryPredict(long input, long output, out long trillionths)
    {
        ref readonly var rates = ref _usual.RatesFor(input);
        trillionths = (input * rates.WholeInput) + (output * rates.WholeOutput) + _wholeRequest;
        return (rates.WholeInput | rates.WholeOutput | _wholeRequest) >= 0 && (ulong)input < MostTokens && (ulong)output < MostTokens;
    }

    // Below 0: not a whole number of them, or so many that a sum with the most tokens might not fit.
    private static long Whole(decimal dollars, long most) =>
        dollars >= 0 && dollars <= most / Trillion && decimal.IsInteger(dollars * Trillion) ? (long)(dollars * Trillion) : -1;

    /// <summary>US dollars for one token.</summary>
    private readonly record struct Rates(decimal Input, decimal CachedInput, decimal CacheWrite, decimal CacheWrite1h, decimal Output)
    {
        public long WholeInput { get; } = Whole(Input, MostPerToken);

        public long WholeOutput { get; } = Whole(Output, MostPerToken);

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
