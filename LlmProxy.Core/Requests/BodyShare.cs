using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Requests;

/// <summary>What one body has taken of the budget while it is being read.</summary>
/// <remarks>A value of the method that reads: never to be used as a copy.</remarks>
internal struct BodyShare(BodyBudget budget, LimitOptions limits)
{
    public readonly BodyBudget Budget => budget;

    public long Taken { get; private set; }

    /// <summary>The body was read; whoever holds it gives the share back.</summary>
    public bool IsKept { get; set; }

    /// <summary>The error if a body may not be this long, or if there is no room for it now.</summary>
    public ProxyError? Check(long length) =>
        length > limits.RequestBody ? ProxyErrors.RequestTooLarge(limits.RequestBody)
        : TryReach(length) ? null
        : ProxyErrors.Overloaded with { ClosesConnection = true };

    /// <summary>
    /// There would be room for it now. Nothing is taken: a length that is announced costs nothing and must not keep others out,
    /// but a body that has no place is not asked for.
    /// </summary>
    public readonly bool HasRoomFor(long length) => Budget.Taken + length <= limits.AllRequestBodies;

    public bool TryReach(long length)
    {
        if (length <= Taken)
        {
            return true;
        }

        if (!Budget.TryTake(length - Taken, limits.AllRequestBodies))
        {
            return false;
        }

        Taken = length;
        return true;
    }

    public readonly void GiveBackUnlessKept()
    {
        if (!IsKept)
        {
            Budget.GiveBack(Taken);
        }
    }
}
