namespace LlmProxy.Core.Configuration;

/// <summary>Where keys, usage and budgets are kept. For the executable: an app registers the stores that it wants.</summary>
public sealed class StoreOptions
{
    /// <summary>Default <see cref="StoreKind.SQLite"/>.</summary>
    public StoreKind Kind { get; set; } = StoreKind.SQLite;

    /// <summary>The folder of the database and the journal. Default null: the data directory.</summary>
    public string? Path { get; set; }

    /// <summary>Of a PostgreSQL server; meant for <c>${file:…}</c>.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Rows of the ledger older than so many days are deleted. Default null: all are kept. Budgets do not forget.</summary>
    public int? KeepDays { get; set; }

    /// <summary>How many bytes of rows may wait on disk while the store cannot take them. Default 1 GiB.</summary>
    public long Journal { get; set; } = 1L << 30;

    /// <summary>What happens when that is full. Default <see cref="FullJournal.Serve"/>.</summary>
    public FullJournal WhenFull { get; set; }

    /// <summary>What a replica does that is cut off from the store and has used up its share of a limit. Default <see cref="CutOffShare.Refuse"/>.</summary>
    public CutOffShare WhenCutOff { get; set; }
}

/// <summary>Which store.</summary>
public enum StoreKind
{
    /// <summary>A database inside the process, in a folder; for one instance.</summary>
    SQLite,

    /// <summary>A server that several instances share.</summary>
    PostgreSQL,

    /// <summary>Keys from the configuration only; nothing is kept.</summary>
    None,
}

/// <summary>What happens to requests while rows can be kept nowhere.</summary>
public enum FullJournal
{
    /// <summary>They are served, and the rows that are lost are counted.</summary>
    Serve,

    /// <summary>They are refused (503 <c>insufficient_storage</c>).</summary>
    Refuse,
}

/// <summary>What becomes of requests under a limit that the store shares out, when it cannot be asked.</summary>
public enum CutOffShare
{
    /// <summary>They are refused.</summary>
    Refuse,

    /// <summary>They are served, as though there was no such limit.</summary>
    Serve,
}
