using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Serving;

/// <summary>CORS: lets the pages of named origins call the API and read its answers, errors included. Off without origins.</summary>
internal static class BrowserAccess
{
    // What a page may read beside the body: what it needs to report a failure and to try again at the right time.
    private static readonly string[] _exposed =
    [
        "x-request-id", "x-should-retry", "retry-after", "retry-after-ms",
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ];

    /// <summary>For how long a browser need not ask again.</summary>
    private static readonly TimeSpan _preflightAge = TimeSpan.FromHours(1);

    public static bool IsOn(CorsOptions options) => options.Origins.Count > 0;

    // Keys come in headers that the page itself sets, so cookies and the like (credentials) are never allowed.
    public static void Add(IServiceCollection services, CorsOptions options) => services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
        .WithOrigins([.. options.Origins])
        .WithMethods(HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Delete)
        .AllowAnyHeader()
        .WithExposedHeaders(_exposed)
        .SetPreflightMaxAge(_preflightAge)));
}
