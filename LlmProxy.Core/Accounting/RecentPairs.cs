namespace LlmProxy.Core.Accounting;

/// <summary>
/// What two texts have led to, found without hashing them: most requests ask for what one shortly before them has asked for. For values that
/// stay what they are.
/// </summary>
internal sealed class RecentPairs<T>
    where T : class
{
    // A power of two. What takes turns with another in one place is asked for as if this were not here.
    private const int Most = 32;

    private readonly Pair?[] _pairs = new Pair[Most];

    public T? Find(string? first, string? second)
    {
        var pair = Volatile.Read(ref PlaceOf(first, second));
        return pair is not null && pair.First == first && pair.Second == second ? pair.Value : null;
    }

    public T Keep(string? first, string? second, T value)
    {
        Volatile.Write(ref PlaceOf(first, second), new Pair(first, second, value));
        return value;
    }

    private ref Pair? PlaceOf(string? first, string? second) => ref _pairs[(TextGlance.At(first) + TextGlance.At(second)) & (Most - 1)];

    private sealed class Pair(string? first, string? second, T value)
    {
        public string? First { get; } = first;

        public string? Second { get; } = second;

        public T Value { get; } = value;
    }
}
