using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace LlmProxy.Core.Authentication;

/// <summary>Who calls? The front door of the second stage.</summary>
internal static class Authenticator
{
    /// <summary>
    /// The caller by the one key of ours that the request carries, or by the host app's user where configuration says so.
    /// </summary>
    /// <param name="http">The request.</param>
    /// <param name="seen">Which of its headers may matter.</param>
    /// <param name="keys">Ours.</param>
    /// <param name="time">Ends keys.</param>
    /// <param name="failures">Count those who try keys; null: nobody does.</param>
    /// <param name="secret">The key that let it in; null if none did.</param>
    public static Result<Caller> Authenticate(
        HttpContext http, ClientHeaders seen, KeyRing keys, TimeProvider time, FailedAttempts? failures, out KeySecret? secret)
    {
        var found = Find(http, seen, keys, time, out secret);
        if (found.TryGet(out var caller, out var error))
        {
            return caller.RefusalAt(time) is { } refusal ? refusal : found;
        }

        // Who sends nothing tries nothing.
        var isTried = ReferenceEquals(error, ProxyErrors.InvalidApiKey) && Carries(http.Request.Headers, seen);
        return isTried && failures?.TryCount(http.Connection.RemoteIpAddress, out var wait) == false ? ProxyErrors.TooManyFailures(wait) : found;
    }

    private static Result<Caller> Find(HttpContext http, ClientHeaders seen, KeyRing keys, TimeProvider time, out KeySecret? secret)
    {
        secret = null;
        if (keys.Identity is { } identity)
        {
            return FromUser(http, keys, identity);
        }

        var headers = http.Request.Headers;
        if (headers.Authorization.Count > 1)
        {
            return ProxyErrors.AmbiguousCredentials with { Message = "The request carries more than one Authorization header. Send one." };
        }

        var found = FindBearer(headers.Authorization, keys, time, out secret);

        foreach (var name in (seen & ClientHeaders.PlainKey) != 0 ? ClientHeaderScan.PlainKeyNames : [])
        {
            if (!headers.TryGetValue(name, out var values))
            {
                continue;
            }

            foreach (var value in values)
            {
                var caller = keys.Find(value.AsSpan().Trim(' '), time, out var other);
                // By id: the same key may have been worked out twice, by two requests that were its first.
                if (caller is not null && found is not null && caller.Id != found.Id)
                {
                    return ProxyErrors.AmbiguousCredentials;
                }

                found ??= caller;
                secret ??= other;
            }
        }

        return found ?? (keys.AllowsAnonymous ? keys.Anonymous
            : keys.Stored.IsOut && Carries(headers, seen) ? ProxyErrors.AuthUnavailable
            : (Result<Caller>)ProxyErrors.InvalidApiKey);
    }

    /// <summary>True if something was sent that may have been meant as a key.</summary>
    private static bool Carries(IHeaderDictionary headers, ClientHeaders seen) => headers.Authorization.Count > 0 || (seen & ClientHeaders.PlainKey) != 0;

    // RFC 9110, 11.6.2: the scheme is case-insensitive and followed by one or more spaces.
    private static Caller? FindBearer(StringValues header, KeyRing keys, TimeProvider time, out KeySecret? secret)
    {
        const string Scheme = "Bearer ";
        secret = null;
        if (header.Count != 1 || header[0] is not { } text)
        {
            return null;
        }

        if (keys.Recall(text, out secret) is { } known)
        {
            return known;
        }

        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var version = keys.Version;
        var found = keys.Find(text.AsSpan(Scheme.Length).TrimStart(' '), time, out secret);
        if (found is not null && secret is { Until: null })
        {
            // What ends by itself is looked up each time.
            keys.Remember(text, found, secret, version);
        }

        return found;
    }

    private static Result<Caller> FromUser(HttpContext http, KeyRing keys, Configuration.HostIdentityOptions identity)
    {
        var user = http.User;
        if (user.Identity is not { IsAuthenticated: true })
        {
            return ProxyErrors.InvalidApiKey with { Message = "Sign in first: this API takes its callers from the application's own users." };
        }

        var id = user.FindFirst(identity.IdClaim)?.Value ?? user.Identity.Name ?? "user";
        var claimed = identity.GroupClaim is null ? null : user.FindFirst(identity.GroupClaim)?.Value;
        return keys.ForUser(DisplayText.Name(id), claimed);
    }
}
