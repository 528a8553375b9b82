using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core;

/// <summary>
/// Says what the proxy would do with a request, without doing it: nothing is sent, and no place, probe or budget is taken. For
/// an application's own admin pages; callers whose key has <c>Debug</c> ask by the header <c>x-llmproxy-explain: 1</c> instead.
/// Resolve it from DI.
/// </summary>
public sealed class LlmProxyExplainer
{
    private readonly LlmProxyMiddleware _middleware;

    internal LlmProxyExplainer(LlmProxyMiddleware middleware) => _middleware = middleware;

    /// <summary>
    /// Reads the request as a client would send it, body and headers, and answers it with a JSON object: the model that it resolves
    /// to, the targets in their order, what is skipped and why, and the settings that hold. It holds no secret and nothing of the
    /// body but the name of the model. What cannot be explained is answered with the error that the client would get. Does not check
    /// who asks: that is for the page that calls it.
    /// </summary>
    /// <param name="http">Its answer must not have begun.</param>
    /// <param name="path">The path of the operation, with or without <c>/v1</c>, for example <c>/v1/chat/completions</c>.</param>
    /// <param name="key">The name of the key on whose behalf is asked, or <c>anonymous</c> where callers need none. 404 <c>key_not_found</c> if there is none.</param>
    public Task ExplainAsync(HttpContext http, string path, string key)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(key);
        return _middleware.ExplainAsync(http, path, key);
    }
}
