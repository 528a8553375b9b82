namespace LlmProxy.Core.Configuration;

/// <summary>Prices of a model at an upstream, in US dollars per million tokens.</summary>
public abstract class RateOptions
{
    /// <summary>Of the input that is neither read from a cache nor written to one. Required.</summary>
    public decimal? Input { get; set; }

    /// <summary>Of input read from a cache. Default null: as <see cref="Input"/>.</summary>
    public decimal? CachedInput { get; set; }

    /// <summary>Of input written to a cache that keeps it for minutes. Default null: as <see cref="Input"/>.</summary>
    public decimal? CacheWrite { get; set; }

    /// <summary>Of input written to a cache that keeps it for an hour. Default null: as <see cref="CacheWrite"/>.</summary>
    public decimal? CacheWrite1h { get; set; }

    /// <summary>Of the output, reasoning included. Default null: 0, as for embeddings.</summary>
    public decimal? Output { get; set; }
}

/// <summary>Prices that hold for some requests only.</summary>
public sealed class TierOptions : RateOptions;

/// <summary>All that decides what a request costs.</summary>
public sealed class PriceOptions : RateOptions
{
    /// <summary>For the request itself, in US dollars. Default 0.</summary>
    public decimal Request { get; set; }

    /// <summary>
    /// Prices of requests whose input is longer than so many tokens (the key), for all of their tokens; the largest that is passed
    /// counts. What is null there is as without it. Default: none.
    /// </summary>
    public IDictionary<long, TierOptions> Above { get; } = new SortedDictionary<long, TierOptions>();

    /// <summary>
    /// Prices by the service tier that the answer names (<c>flex</c>, <c>priority</c>, <c>batch</c>). What is null there is as without
    /// it. Default: none.
    /// </summary>
    public IDictionary<string, TierOptions> Tiers { get; } = new Dictionary<string, TierOptions>(StringComparer.Ordinal);
}

/// <summary>What becomes of a request with a budget for a model that has no price.</summary>
public enum UnpricedModels
{
    /// <summary>It is refused: a budget that counts nothing would hold nothing back.</summary>
    Refuse,

    /// <summary>It is served, and its rows in the ledger say that it has no price.</summary>
    Allow,
}
