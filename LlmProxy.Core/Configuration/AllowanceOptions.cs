namespace LlmProxy.Core.Configuration;

/// <summary>How much somebody may use. What is null is not limited.</summary>
public abstract class AllowanceOptions
{
    /// <summary>Requests that may begin in any minute, from 1.</summary>
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens, in and out together, in any minute, from 1. Counted by an estimate when a request begins, by the upstream's usage when it has ended.</summary>
    public long? TokensPerMinute { get; set; }

    /// <summary>Requests at one time, from 1.</summary>
    public int? Concurrent { get; set; }

    /// <summary>Money. Default null: none is counted out.</summary>
    public BudgetOptions? Budget { get; set; }

    /// <summary>
    /// How much a request sets aside of tokens and money until its usage is known. Default null: what the next wider scope says, in
    /// the end <see cref="ReserveMode.Expected"/>.
    /// </summary>
    public ReserveMode? Reserve { get; set; }
}

/// <summary>How much each key of a group may use.</summary>
public sealed class EachKeyOptions : AllowanceOptions;

/// <summary>How much a request sets aside of tokens and money until its usage is known.</summary>
public enum ReserveMode
{
    /// <summary>
    /// The prompt, and of the answer the smaller of what the request allows and what 95 of 100 such answers have used. A limit can be
    /// passed by what the other answers use more than that.
    /// </summary>
    Expected,

    /// <summary>The prompt and the longest answer that is possible: no limit is ever passed, and far fewer requests run at one time.</summary>
    Exact,
}

/// <summary>US dollars in calendar windows, several at once. What is null is not limited; 0 allows nothing that costs.</summary>
public sealed class BudgetOptions
{
    /// <summary>In a calendar day.</summary>
    public decimal? Day { get; set; }

    /// <summary>In a calendar month.</summary>
    public decimal? Month { get; set; }

    /// <summary>For ever.</summary>
    public decimal? Total { get; set; }
}

/// <summary>The people behind one shared key, as a chat application in front of this proxy tells them apart.</summary>
public sealed class EndUserOptions : AllowanceOptions
{
    /// <summary>
    /// The header that names the user, for example <c>X-OpenWebUI-User-Email</c>. It is believed: only for keys whose holder cannot
    /// be made to send another's name. A request without it counts as that of a user with an empty name.
    /// </summary>
    public string Header { get; set; } = "";
}
