using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Accounting;

/// <summary>Where rows of the ledger wait until the store has them, and for how long it keeps them.</summary>
public sealed class LedgerSettings
{
    /// <summary>
    /// The directory of the journal; made if it is not there. On a disk of this machine, for one process or several: each has a folder
    /// of its own in it. Required.
    /// </summary>
    public string Directory { get; set; } = "";

    /// <summary>How many bytes of rows may wait on disk while the store cannot take them. Default 1 GiB, about three million rows; at least 8 MiB.</summary>
    public long Journal { get; set; } = 1L << 30;

    /// <summary>What happens when that is full. Default <see cref="FullJournal.Serve"/>.</summary>
    public FullJournal WhenFull { get; set; }

    /// <summary>Rows older than so many days are deleted, once a day. Default null: all are kept. Budgets do not forget.</summary>
    public int? KeepDays { get; set; }
}
