namespace LlmProxy.Core.Relaying;

/// <summary>
/// Inspects, replaces, drops or adds events of streamed answers, and rewrites JSON answers. Register any number in DI; they
/// run in that order. Where none is registered, bytes pass untouched.
/// </summary>
/// <remarks>
/// The mark that ends a stream of completions, and errors, are not shown to filters: whether an answer is whole is decided by
/// what the upstream sent, and stays so. Where a stream ends in an event with content, as Responses do, that event is shown;
/// if no such event is left of it, the stream is broken.
/// With a filter, an answer that is too large to be held is refused rather than passed unseen.
/// </remarks>
public interface IResponseFilter
{
    /// <summary>Looks at one event of a stream. An exception breaks the stream.</summary>
    ValueTask OnEventAsync(LlmResponseEvent responseEvent, CancellationToken cancellationToken);

    /// <summary>Looks at a whole JSON answer. An exception is answered as a 500.</summary>
    ValueTask OnAnswerAsync(LlmResponseAnswer answer, CancellationToken cancellationToken);
}
