namespace LlmProxy.Core.Requests;

/// <summary>
/// Inspects, changes or refuses requests before they are routed. Register any number in DI; they run in that order. Where
/// none is registered, bodies pass untouched.
/// </summary>
public interface IRequestFilter
{
    /// <summary>Looks at one request. An exception is answered as a 500 and nothing goes upstream.</summary>
    ValueTask InvokeAsync(LlmRequest request, CancellationToken cancellationToken);
}
