using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Requests;

/// <summary>What one body has taken of the budget while it is being read.</summary>
internal sealed class BodyShare(BodyBudget budget, LimitOptions limits)
{
    public BodyBudget Budget { get; } = budget;

    public long Taken { get; private set; }

    /// <summary>The body was read; whoever holds it gives the share back.</summary>
    public bool IsKept { get; set; }

    /// <summary>The error if a body may not be this long, or if there is no room for it now.</summary>
    public ProxyError? Check(long length) =>
        length > limits.RequestBody ? ProxyErrors.RequestTooLarge(limits.RequestBody)
        : TryReach(length) ? null
        : ProxyErrors.Overloaded with { ClosesConnection = true };

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

    public void GiveBackUnlessKept()
    {
        if (!IsKept)
        {
            Budget.GiveBack(Taken);
        }
    }
}
