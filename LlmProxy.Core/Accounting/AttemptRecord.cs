namespace LlmProxy.Core.Accounting;

/// <summary>One of several times that upstreams were asked for one request.</summary>
/// <param name="Upstream">Which was asked.</param>
/// <param name="UpstreamModel">The model's name there, at most 64 characters, control characters escaped.</param>
/// <param name="End">How it ended: <c>ok</c> if it answered, <c>superseded</c> if another was asked beside it and was faster, else the error's code.</param>
/// <param name="Duration">To the first event with output, to the whole of an answer without a stream, or to its failure.</param>
public sealed record AttemptRecord(string Upstream, string UpstreamModel, string End, TimeSpan Duration)
{
    /// <summary>Tokens in, where the attempt had to end because another was faster (<c>superseded</c>) and had said so much; else null.</summary>
    public long? InputTokens { get; init; }

    /// <summary>Tokens out, likewise.</summary>
    public long? OutputTokens { get; init; }
}
