namespace LlmProxy.Core.Protocol;

/// <summary>Tokens as an upstream reported them; a value below zero means that it did not say.</summary>
internal readonly record struct Usage(long Input, long CachedInput, long Output)
{
    public static Usage None { get; } = new(-1, -1, -1);

    public bool IsKnown => Input >= 0 || Output >= 0;
}
