namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="PriceOptions"/>.</summary>
internal static class PriceRules
{
    // Above it somebody wrote a price per token times a million twice, and sums of it would no longer be exact.
    private const decimal Highest = 1_000_000m;

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        foreach (var (name, price) in options.Prices)
        {
            var path = Places.Member("Prices", name);
            if (!PricePattern.TryParse(name, out var pattern))
            {
                problems.Error(path, "a price is for \"upstream/model\", as the upstream names it; either may end in a star.");
            }
            else if (!options.Upstreams.Keys.Any(pattern.FitsUpstream))
            {
                problems.Warning(path, $"no upstream is called {Problems.Quote(pattern.Upstream)}: the price is never used. {NearestName.Advise(pattern.Upstream, [.. options.Upstreams.Keys])}");
            }

            Check(path, price, problems);
        }

        foreach (var (name, model) in options.Models)
        {
            var targets = Places.Member(Places.Member("Models", name), "Targets");
            for (var i = 0; i < model.Targets.Count; i++)
            {
                if (model.Targets[i].Price is { } price)
                {
                    Check(Places.Member(Places.Item(targets, i), "Price"), price, problems);
                }
            }
        }
    }

    private static void Check(string path, PriceOptions price, Problems problems)
    {
        if (price.Input is null)
        {
            problems.Error(Places.Member(path, "Input"), "is missing: US dollars per million tokens. Write 0 for what costs nothing.");
        }

        CheckRange(Places.Member(path, "Request"), price.Request, problems);
        CheckRates(path, price, problems);
        foreach (var (tokens, rates) in price.Above)
        {
            var at = Places.Member(Places.Member(path, "Above"), tokens.ToString(System.Globalization.CultureInfo.InvariantCulture));
            if (tokens < 1)
            {
                problems.Error(at, "needs a number of tokens above 0.");
            }

            CheckRates(at, rates, problems);
        }

        foreach (var (tier, rates) in price.Tiers)
        {
            CheckRates(Places.Member(Places.Member(path, "Tiers"), tier), rates, problems);
        }
    }

    private static void CheckRates(string path, RateOptions rates, Problems problems)
    {
        CheckRange(Places.Member(path, "Input"), rates.Input, problems);
        CheckRange(Places.Member(path, "CachedInput"), rates.CachedInput, problems);
        CheckRange(Places.Member(path, "CacheWrite"), rates.CacheWrite, problems);
        CheckRange(Places.Member(path, "CacheWrite1h"), rates.CacheWrite1h, problems);
        CheckRange(Places.Member(path, "Output"), rates.Output, problems);
    }

    private static void CheckRange(string path, decimal? amount, Problems problems)
    {
        if (amount is < 0 or > Highest)
        {
            problems.Error(path, $"is out of range: 0 to {Highest:0}.");
        }
    }
}
