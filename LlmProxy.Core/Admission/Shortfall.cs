namespace LlmProxy.Core.Admission;

/// <summary>A limit that has no room.</summary>
/// <param name="Dimension">Which.</param>
/// <param name="Limit">All that there is.</param>
/// <param name="Amount">What was asked for.</param>
/// <param name="Taken">What is used and set aside.</param>
/// <param name="Reserved">What of that is only set aside.</param>
/// <param name="Wait">Seconds until there is room, for rates.</param>
internal readonly record struct Shortfall(Dimension Dimension, long Limit, long Amount, long Taken, long Reserved, long Wait)
{
    /// <summary>It is shared, and asking for more may bring more.</summary>
    public bool MayHaveMore { get; init; }
}
