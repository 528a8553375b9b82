namespace LlmProxy.Core.Protocol;

/// <summary>Tokens as an upstream reported them; a value below zero means that it did not say.</summary>
/// <param name="Input">All of the input, cached parts included, whatever the API counts.</param>
/// <param name="CachedInput">What of it was read from a cache.</param>
/// <param name="Output">All of the output.</param>
internal readonly record struct Usage(long Input, long CachedInput, long Output)
{
    /// <summary>More than any request uses: an upstream that says more is wrong, and what sums are made of must stay small enough for them.</summary>
    public const long Most = 1_000_000_000_000;

    public static Usage None { get; } = new(-1, -1, -1);

    /// <summary>What of the input was written to a cache, where that has its own price.</summary>
    public long WrittenInput { get; init; } = -1;

    /// <summary>What of <see cref="WrittenInput"/> is kept for an hour rather than minutes, which has a price of its own again.</summary>
    public long WrittenForHour { get; init; } = -1;

    /// <summary>What of the output was reasoning.</summary>
    public long Reasoning { get; init; } = -1;

    /// <summary>The service tier that the answer names; null if it names none.</summary>
    public string? Tier { get; init; }

    public bool IsKnown => Input >= 0 || Output >= 0;
}
