using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>What a configured model compiles to.</summary>
/// <param name="Name">As configured; a pattern ends in a star.</param>
/// <param name="Targets">In the order of configuration.</param>
/// <param name="Edits">How its requests are changed.</param>
/// <param name="Headers">Sent with every request.</param>
/// <param name="PutsModelBack">Answers carry the name that was asked for.</param>
internal sealed record Route(string Name, Target[] Targets, RequestEdits Edits, KeyValuePair<string, string>[] Headers, bool PutsModelBack)
{
    public bool IsPattern => Name.EndsWith('*');
}

/// <summary>Where a request's model leads.</summary>
/// <param name="Route">The route.</param>
/// <param name="Asked">The name as the client wrote it.</param>
/// <param name="Resolved">The name without aliases: what allow-lists speak of.</param>
/// <param name="Star">What a pattern's star stands for.</param>
internal readonly record struct RouteMatch(Route Route, string Asked, string Resolved, string Star)
{
    /// <summary>The only upstream that can answer, because it keeps what the request is about; null if any may.</summary>
    public string? Keeper { get; init; }
}
