using LlmProxy.Core;

namespace LlmProxy.Host.Serving;

/// <summary>
/// Says what would become of a request, on the admin listener alone: <c>POST /admin/explain?key=NAME&amp;path=/v1/chat/completions</c>
/// with the request as its body.
/// </summary>
internal sealed class ExplainPage(LlmProxyExplainer explainer)
{
    private const string Path = "/admin/explain";
    private const string UsualPath = "/v1/chat/completions";

    /// <summary>The page for a request; null if it asks for something else.</summary>
    public RequestDelegate? Find(HttpRequest request) =>
        request.Path.Value != Path ? null : HttpMethods.IsPost(request.Method) ? AnswerAsync : RefuseAsync;

    private Task AnswerAsync(HttpContext http)
    {
        var query = http.Request.Query;
        var path = query["path"].ToString();
        return explainer.ExplainAsync(http, path.Length > 0 ? path : UsualPath, query["key"].ToString());
    }

    private static Task RefuseAsync(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = "POST";
        return Task.CompletedTask;
    }
}
