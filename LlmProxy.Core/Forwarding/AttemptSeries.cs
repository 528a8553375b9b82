using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Forwarding;

/// <summary>What all attempts of one request share.</summary>
internal sealed class AttemptSeries(
    ForwardRequest request, LimitOptions limits, ExchangeClock clock, AttemptSender sender, IAttemptBooks books, TimeProvider time)
{
    private readonly Lock? _noting = request.Selection.Route.Hedge is null ? null : new();
    private int _sent;
    private int _paid;

    public ForwardRequest Request => request;

    /// <summary>Whom to ask: the request's own, not a copy.</summary>
    public ref Selection Selection => ref request.Selection;

    public LimitOptions Limits => limits;

    public ExchangeClock Clock => clock;

    public AttemptSender Sender => sender;

    public TimeProvider Time => time;

    /// <summary>Notes what happens to an attempt, one thing after another: two may run at once.</summary>
    public void Note(in AttemptNote happened)
    {
        if (_noting is null)
        {
            books.Note(happened);
            return;
        }

        lock (_noting)
        {
            books.Note(happened);
        }
    }

    /// <summary>Milliseconds, as live states count them.</summary>
    public long Now => Balancing.Clock.Ms(time);

    /// <summary>Something of the request has left us: from now on an attempt more is one that an upstream pays for.</summary>
    public bool HasSent => Volatile.Read(ref _sent) > 0;

    public void CountSent() => Interlocked.Increment(ref _sent);

    /// <summary>Takes an attempt more from the budget of the model; the first that reaches anybody is free.</summary>
    public bool TryTakeExtra() =>
        !HasSent || Selection.State.Extra.TryTake(Now, Selection.Route.Failover.BudgetPercent, Selection.Route.Failover.BudgetLeast);

    /// <summary>Takes an attempt more, for the target that is asked next.</summary>
    public bool TryPay()
    {
        Volatile.Write(ref _paid, HasSent ? 1 : 0);
        if (TryTakeExtra())
        {
            return true;
        }

        Volatile.Write(ref _paid, 0);
        return false;
    }

    /// <summary>Nothing was sent to a target: what was paid for it is given back, once.</summary>
    /// <param name="racer">A hedge is not paid for from this budget; null if it is none.</param>
    public void Refund(Racer? racer)
    {
        if (racer is not { IsHedge: true } && Interlocked.Exchange(ref _paid, 0) == 1)
        {
            GiveExtraBack();
        }
    }

    /// <summary>Nothing was sent for what <see cref="TryTakeExtra"/> gave.</summary>
    public void GiveExtraBack()
    {
        if (HasSent)
        {
            Selection.State.Extra.GiveBack(Now);
        }
    }

    /// <summary>Another attempt may be made after the one that is about to be.</summary>
    public bool MayFollow() =>
        Selection.Count > 1 && Selection.HasNext()
        && Selection.State.Extra.HasRoom(Now, Selection.Route.Failover.BudgetPercent, Selection.Route.Failover.BudgetLeast);
}
