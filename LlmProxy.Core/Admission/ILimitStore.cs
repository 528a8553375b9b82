namespace LlmProxy.Core.Admission;

/// <summary>
/// Shares limits and budgets out among replicas: each has a slice of a window, admits from it without asking, and comes back for
/// more. Register one in DI where more than one instance serves the same callers; without it every instance counts alone.
/// </summary>
/// <remarks>
/// A budget's window that is new to it begins with what the ledger says was spent in it.
/// What a replica holds of a window is never given to another before it has been returned or has expired, so that all of them
/// together pass a limit by no more than what a replica had used of an expired slice and had not told.
/// </remarks>
public interface ILimitStore
{
    /// <summary>Tells what has been used of slices, gives back what is not needed, and asks for more: all of it in one step.</summary>
    /// <param name="replica">Who asks; the same for the life of the process.</param>
    /// <param name="asks">At most one for each meter and window.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>For each of them, in their order, what is known and granted.</returns>
    ValueTask<IReadOnlyList<LimitGrant>> ExchangeAsync(string replica, IReadOnlyList<LimitAsk> asks, CancellationToken cancellationToken);
}

/// <param name="Meter">Whose and of what: for example <c>key/key_01JD…/usd</c>, <c>group/engineering/requests</c>.</param>
/// <param name="Window">For example <c>2026-11-25</c> or <c>2026-11</c> for a budget, <c>total</c>, a minute's number for a rate, <c>now</c> for requests at one time.</param>
/// <param name="Limit">All that may be used of the window, by all replicas.</param>
/// <param name="Used">All that this replica has used of the window so far; it never falls, but for <c>now</c>.</param>
/// <param name="Hold">How much it wants to have beyond that; the store may grant less, down to nothing.</param>
/// <param name="Expires">When what it holds unused goes back to the others if it is not heard of again; how long from now.</param>
/// <param name="Ends">When the window has ended and its count may be forgotten, UTC; null: never.</param>
public sealed record LimitAsk(string Meter, string Window, decimal Limit, decimal Used, decimal Hold, TimeSpan Expires, DateTimeOffset? Ends);

/// <param name="Held">What it now has beyond what it has used.</param>
/// <param name="UsedByAll">What all replicas have told that they used.</param>
public readonly record struct LimitGrant(decimal Held, decimal UsedByAll);
