namespace LlmProxy.Core.Admission;

/// <summary>
/// What a request has set aside of every limit that it must pass. Exactly one of its two ways out counts: it is settled by what was
/// used, or given back whole. Calls after the first do nothing.
/// </summary>
internal sealed class Lease
{
    private int _ended;

    /// <summary>The request has ended and has used so much: what was set aside beyond that is free again at once.</summary>
    /// <param name="tokens">In and out together.</param>
    /// <param name="cost">US dollars; null where the model has no price.</param>
    public void Settle(long tokens, decimal? cost)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            _ = (tokens, cost);
        }
    }

    /// <summary>Nothing was used.</summary>
    public void GiveBack() => Interlocked.Exchange(ref _ended, 1);
}
