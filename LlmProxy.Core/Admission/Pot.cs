using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Admission;

/// <summary>What was taken in one window after another: a day, a month, for ever; or is held now. Part of a <see cref="Meter"/>, whose turn is held.</summary>
/// <remarks>No sum passes <see cref="Money.Most"/>: one that ran over would be below 0, and a limit that is used up no limit at all.</remarks>
internal struct Pot
{
    /// <summary>Which window it is.</summary>
    public long Window { readonly get; private set; }

    /// <summary>Used in it.</summary>
    public long Used { readonly get; private set; }

    /// <summary>Set aside in it for requests that run.</summary>
    public long Reserved { readonly get; private set; }

    /// <summary>What counts in a window; what is older is forgotten.</summary>
    public long Taken(long at)
    {
        MoveTo(at);
        return Used + Reserved;
    }

    /// <summary>Sets something aside.</summary>
    /// <param name="at">The window of the admission. If somebody has been in the next already, it is over, and nothing is set aside in that one: nobody would ever give it back.</param>
    /// <param name="amount">Of what the pot counts.</param>
    public void Take(long at, long amount)
    {
        MoveTo(at);
        if (at == Window)
        {
            Reserved = Math.Min(Money.Most, Reserved + amount);
        }
    }

    /// <summary>Puts what was used in the place of what was set aside, in the window in which that was.</summary>
    /// <param name="at">The window of the admission. If it is over, it is nobody's any more; who looks at the next finds nothing of it.</param>
    /// <param name="reserved">As it was taken.</param>
    /// <param name="used">What became of it.</param>
    public void Settle(long at, long reserved, long used)
    {
        MoveTo(at);
        if (at == Window)
        {
            Reserved = Math.Max(0, Reserved - reserved);
            Used = Math.Min(Money.Most, Used + used);
        }
    }

    /// <summary>Something was used of which no request here tells: before the start, or by a price that was put right.</summary>
    public void Add(long window, long amount)
    {
        MoveTo(window);
        if (window == Window)
        {
            Used = Math.Clamp(Used + amount, 0, Money.Most);
        }
    }

    /// <summary>Something counts in that window, or in a later one.</summary>
    public readonly bool HoldsAt(long window) => Window >= window && Used + Reserved != 0;

    private void MoveTo(long window)
    {
        if (window > Window)
        {
            (Window, Used, Reserved) = (window, 0, 0);
        }
    }
}

/// <summary>One for each <see cref="Dimension"/>.</summary>
[InlineArray(Ceilings.Count)]
internal struct Pots
{
    private Pot _first;
}
