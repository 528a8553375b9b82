namespace LlmProxy.Core.Balancing;

/// <summary>
/// Requests that may be sent twice, as a share of all: each request saves a little, each hedge spends one. It holds at any rate,
/// where a share of the last ten seconds would be less than one hedge for a model that is asked once a second.
/// </summary>
internal sealed class HedgeBudget
{
    private const int One = 100;

    // Saved while all was well, for the moment in which an upstream becomes slow.
    private const int Most = 10 * One;

    private int _saved = One;

    /// <summary>Counts a request.</summary>
    /// <param name="percent">What it saves, in hundredths of a hedge.</param>
    public void Count(int percent) => Add(percent);

    /// <summary>Takes a hedge, if one has been saved.</summary>
    public bool TryTake()
    {
        var saved = Volatile.Read(ref _saved);
        while (saved >= One)
        {
            var seen = Interlocked.CompareExchange(ref _saved, saved - One, saved);
            if (seen == saved)
            {
                return true;
            }

            saved = seen;
        }

        return false;
    }

    /// <summary>Gives back what was taken and not used.</summary>
    public void GiveBack() => Add(One);

    private void Add(int hundredths)
    {
        var saved = Volatile.Read(ref _saved);
        while (saved < Most)
        {
            var seen = Interlocked.CompareExchange(ref _saved, Math.Min(Most, saved + hundredths), saved);
            if (seen == saved)
            {
                return;
            }

            saved = seen;
        }
    }
}
