using System.Collections.Concurrent;

namespace LlmProxy.Core.Routing;

/// <summary>
/// What a target costs: one price, or, where the client chooses what its star stands for, one for each name that was asked for.
/// </summary>
/// <param name="find">Finds the price of a model's name at the upstream.</param>
internal sealed class TargetPrice(Func<string, Price?> find)
{
    // Clients choose these names: beyond so many they are looked up each time, which costs a text and the length of the list.
    private const int MostNames = 1024;

    private readonly ConcurrentDictionary<string, Price?> _byStar = new(StringComparer.Ordinal);
    private int _count;

    /// <param name="target">Whose it is.</param>
    /// <param name="star">What its star stands for.</param>
    public Price? For(Target target, ReadOnlySpan<char> star)
    {
        if (_byStar.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(star, out var known))
        {
            return known;
        }

        var price = find(target.ModelFor(star));
        if (Volatile.Read(ref _count) < MostNames && _byStar.TryAdd(star.ToString(), price))
        {
            Interlocked.Increment(ref _count);
        }

        return price;
    }
}
