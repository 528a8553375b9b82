namespace LlmProxy.Core.Admission;

/// <summary>
/// How many requests are inside, whoever sends them. Of any number that come at once exactly as many get in as there is room for:
/// who is refused was never inside and keeps nobody out.
/// </summary>
internal sealed class ConcurrencyGate
{
    private int _inside;

    /// <summary>Requests that have entered and not left.</summary>
    public int Inside => Volatile.Read(ref _inside);

    /// <summary>Goes in if there is room; <see cref="Leave"/> must follow then.</summary>
    /// <param name="most">Requests inside, this one among them; 0: any number. It may be another one each time.</param>
    public bool TryEnter(int most)
    {
        var seen = Volatile.Read(ref _inside);
        while (most <= 0 || seen < most)
        {
            var before = Interlocked.CompareExchange(ref _inside, seen + 1, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>Makes room for the next.</summary>
    public void Leave() => Interlocked.Decrement(ref _inside);
}
