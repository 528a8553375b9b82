namespace LlmProxy.Core;

/// <summary>What kind of difference it is.</summary>
public enum LlmProxyChangeKind
{
    /// <summary>It is new.</summary>
    Added,

    /// <summary>It leads elsewhere.</summary>
    Changed,

    /// <summary>It is gone, for all or for some.</summary>
    Removed,
}

/// <summary>One difference between two configurations, as their callers would notice it.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="Subject">A model's name, or who calls, for example <c>key anna</c>.</param>
/// <param name="Text">What changes, in words; may be empty.</param>
/// <param name="TakesAccessAway">Somebody could do something before that is refused afterwards.</param>
public sealed record LlmProxyChange(LlmProxyChangeKind Kind, string Subject, string Text, bool TakesAccessAway);
