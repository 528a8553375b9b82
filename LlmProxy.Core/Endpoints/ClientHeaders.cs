using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

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

    /// <summary><c>x-stainless-timeout</c>.</summary>
    Timeout = 16,

    /// <summary><c>x-llmproxy-explain</c>.</summary>
    Explain = 32,

    /// <summary>One that may go upstream: anything but what belongs to this connection and this body.</summary>
    Passing = 64,

    /// <summary>Nobody has looked: any of them may be there.</summary>
    Unknown = ~0,
}

/// <summary>Looks for them.</summary>
internal static class ClientHeaderScan
{
    private const StringComparison Ignore = StringComparison.OrdinalIgnoreCase;

    /// <summary>Where a key may stand beside <c>Authorization</c>.</summary>
    public static readonly string[] PlainKeyNames = ["x-llmproxy-key", "x-api-key", "api-key", "x-goog-api-key"];

    public static ClientHeaders Of(IHeaderDictionary headers)
    {
        // Where there are none but what every client sends, no walk is needed, which takes an object.
        var passing = Has(headers.UserAgent) + Has(headers.Accept);
        if (passing + PlainOf(headers) == headers.Count)
        {
            return passing > 0 ? ClientHeaders.Passing : ClientHeaders.None;
        }

        var found = ClientHeaders.None;
        foreach (var (name, _) in headers)
        {
            found |= Identify(name);
        }

        return found;
    }

    private static int PlainOf(IHeaderDictionary headers) =>
        Has(headers.Host) + Has(headers.Connection) + Has(headers.ContentType) + Has(headers.Authorization) + Has(headers.AcceptEncoding)
        + (headers.ContentLength is null ? 0 : 1);

    private static int Has(in StringValues values) => values.Count > 0 ? 1 : 0;

    private static ClientHeaders Identify(string name) => name.Length switch
    {
        7 or 9 when name.EndsWith("api-key", Ignore) => ClientHeaders.PlainKey,
        12 when name.Equals("x-request-id", Ignore) => ClientHeaders.RequestId,
        14 when name.Equals("x-llmproxy-via", Ignore) => ClientHeaders.Via,
        14 when name.EndsWith("-key", Ignore) => ClientHeaders.PlainKey | ClientHeaders.Passing,
        18 when name.Equals("x-llmproxy-explain", Ignore) => ClientHeaders.Explain,
        19 when name.Equals("x-stainless-timeout", Ignore) => ClientHeaders.Timeout | ClientHeaders.Passing,
        23 when name.Equals("x-stainless-retry-count", Ignore) => ClientHeaders.RetryCount | ClientHeaders.Passing,
        4 when name.Equals("Host", Ignore) => ClientHeaders.None,
        10 when name.Equals("Connection", Ignore) => ClientHeaders.None,
        12 when name.Equals("Content-Type", Ignore) => ClientHeaders.None,
        13 when name.Equals("Authorization", Ignore) => ClientHeaders.None,
        14 when name.Equals("Content-Length", Ignore) => ClientHeaders.None,
        15 when name.Equals("Accept-Encoding", Ignore) => ClientHeaders.None,
        _ => ClientHeaders.Passing,
    };
}
