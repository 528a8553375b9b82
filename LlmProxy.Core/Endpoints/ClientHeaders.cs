using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Endpoints;

/// <summary>
/// Headers that are asked for by name and seldom there: found in one look over all that a request has, because each question
/// for one costs the server a search among the names it knows and another among those it does not.
/// </summary>
[Flags]
internal enum ClientHeaders
{
    None = 0,

    /// <summary><c>x-request-id</c>.</summary>
    RequestId = 1,

    /// <summary><c>x-stainless-retry-count</c>.</summary>
    RetryCount = 2,

    /// <summary><c>x-llmproxy-via</c>.</summary>
    Via = 4,

    /// <summary>One that may carry a key beside <c>Authorization</c>.</summary>
    PlainKey = 8,
}

/// <summary>Looks for them.</summary>
internal static class ClientHeaderScan
{
    private const StringComparison Ignore = StringComparison.OrdinalIgnoreCase;

    /// <summary>Where a key may stand beside <c>Authorization</c>.</summary>
    public static readonly string[] PlainKeyNames = ["x-llmproxy-key", "x-api-key", "api-key", "x-goog-api-key"];

    public static ClientHeaders Of(IHeaderDictionary headers)
    {
        var found = ClientHeaders.None;
        foreach (var (name, _) in headers)
        {
            found |= Identify(name);
        }

        return found;
    }

    private static ClientHeaders Identify(string name) => name.Length switch
    {
        7 or 9 when name.EndsWith("api-key", Ignore) => ClientHeaders.PlainKey,
        12 when name.Equals("x-request-id", Ignore) => ClientHeaders.RequestId,
        14 when name.Equals("x-llmproxy-via", Ignore) => ClientHeaders.Via,
        14 when name.EndsWith("-key", Ignore) => ClientHeaders.PlainKey,
        23 when name.Equals("x-stainless-retry-count", Ignore) => ClientHeaders.RetryCount,
        _ => ClientHeaders.None,
    };
}
