namespace LlmProxy.Core.Configuration;

/// <summary>For whom a price is: <c>upstream/model</c>, either with a star at its end.</summary>
/// <param name="Upstream">Name of an upstream, star included.</param>
/// <param name="Model">The model's name there, star included.</param>
internal readonly record struct PricePattern(string Upstream, string Model)
{
    /// <summary>The first slash: names of models hold slashes, names of upstreams do not.</summary>
    public static bool TryParse(string text, out PricePattern pattern)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        pattern = slash > 0 ? new PricePattern(text[..slash], text[(slash + 1)..]) : default;
        return slash > 0 && pattern.Model.Length > 0 && !ModelNames.HasStarInside(pattern.Upstream) && !ModelNames.HasStarInside(pattern.Model);
    }

    /// <summary>How exactly it says for whom it is: of two that fit, the one with more counts. A name is more than a pattern as long.</summary>
    public int Weight => (2 * (Upstream.Length + Model.Length)) - (ModelNames.IsPattern(Upstream) ? 3 : 0) - (ModelNames.IsPattern(Model) ? 3 : 0);

    public bool FitsUpstream(string name) => Fits(Upstream, name);

    public bool FitsModel(string name) => Fits(Model, name);

    private static bool Fits(string pattern, string name) => ModelNames.IsPattern(pattern)
        ? name.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal)
        : name == pattern;
}
