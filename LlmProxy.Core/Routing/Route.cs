using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>What a configured model compiles to.</summary>
/// <param name="Name">As configured; a pattern ends in a star.</param>
/// <param name="Targets">By priority, those of one priority in the order of configuration.</param>
/// <param name="Edits">How its requests are changed.</param>
/// <param name="Headers">Sent with every request.</param>
/// <param name="PutsModelBack">Answers carry the name that was asked for.</param>
internal sealed record Route(string Name, Target[] Targets, RequestEdits Edits, KeyValuePair<string, string>[] Headers, bool PutsModelBack)
{
    /// <summary>The parameter that says whether two answers to the same request are meant to be the same.</summary>
    public const string Temperature = "temperature";

    public bool IsPattern => Name.EndsWith('*');

    /// <summary>How one of several targets of the same priority is chosen.</summary>
    public TargetBalance Balance { get; init; }

    /// <summary>What keeps a caller on one target of a weighted choice; null if nothing does.</summary>
    public Stickiness? Sticky { get; init; }

    /// <summary>Null: no second target is asked before the first has failed.</summary>
    public HedgeOptions? Hedge { get; init; }

    /// <summary>Where a copy of some requests goes; null if none does.</summary>
    public Mirror? Mirror { get; init; }

    /// <summary>Identical requests may share a call.</summary>
    public bool Coalesces { get; init; }

    /// <summary>What is done when targets fail.</summary>
    public FailoverOptions Failover { get; init; } = new();

    /// <summary>May requests that demand these tags go anywhere?</summary>
    public bool IsOpenTo(string[] tags) => tags.Length == 0 || Targets.Any(target => target.Upstream.Carries(tags));
}

/// <summary>What keeps a caller on one target.</summary>
internal enum StickyBy
{
    Key,
    User,
    Header,
}

/// <param name="By">What identifies who is to stay.</param>
/// <param name="Header">The header's name, for <see cref="StickyBy.Header"/>.</param>
internal sealed record Stickiness(StickyBy By, string Header);

/// <param name="Target">Where the copy goes.</param>
/// <param name="Percent">How many of a hundred requests are copied.</param>
internal sealed record Mirror(Target Target, int Percent);

/// <summary>Where a request's model leads.</summary>
/// <param name="Route">The route.</param>
/// <param name="Asked">The name as the client wrote it.</param>
/// <param name="Resolved">The name without aliases: what allow-lists speak of.</param>
/// <param name="StarAt">Where in it that begins which a pattern's star stands for; its length if there is no star.</param>
internal readonly record struct RouteMatch(Route Route, string Asked, string Resolved, int StarAt)
{
    /// <summary>What a pattern's star stands for. A view: most requests never need it as a text of its own.</summary>
    internal ReadOnlySpan<char> Star => Asked.AsSpan(StarAt);

    /// <summary>The only upstream that can answer, because it keeps what the request is about; null if any may.</summary>
    public string? Keeper { get; init; }
}
