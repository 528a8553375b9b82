namespace LlmProxy.Core.Accounting;

/// <summary>
/// A store would not take a row for what is in it, and never will: not because it is away, slow or full. See
/// <see cref="ILedgerStore.WriteAsync"/>.
/// </summary>
public sealed class LedgerRowRefusedException : Exception
{
    /// <summary>Without a word about why.</summary>
    public LedgerRowRefusedException()
        : base("The store refused a row of the ledger.")
    {
    }

    /// <param name="message">Why, for people; kept beside the row.</param>
    public LedgerRowRefusedException(string message)
        : base(message)
    {
    }

    /// <param name="message">Why, for people; kept beside the row.</param>
    /// <param name="innerException">What the store's driver threw.</param>
    public LedgerRowRefusedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
