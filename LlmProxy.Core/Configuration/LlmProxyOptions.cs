namespace LlmProxy.Core.Configuration;

/// <summary>
/// Everything an operator can say: the one model behind the configuration file, the section <c>LlmProxy</c> of
/// <c>appsettings.json</c>, the environment variables and code.
/// </summary>
/// <remarks>Names (of upstreams, models, groups and keys) are exact and case-sensitive.</remarks>
public sealed class LlmProxyOptions
{
    /// <summary>Addresses and TLS of the executable. Ignored by the middleware: an app listens where it listens.</summary>
    public ListenOptions Listen { get; set; } = new();

    /// <summary>Whom a refused caller should ask, for example an e-mail address; ends every refusal. Default: nobody is named.</summary>
    public string? Contact { get; set; }

    /// <summary>The provider accounts that requests may be sent to, by name. At least one.</summary>
    public IDictionary<string, UpstreamOptions> Upstreams { get; } = new Dictionary<string, UpstreamOptions>(StringComparer.Ordinal);

    /// <summary>Public model names, or patterns with one trailing star (<c>gpt-*</c>, <c>*</c>), and where each leads. At least one.</summary>
    public IDictionary<string, ModelOptions> Models { get; } = new Dictionary<string, ModelOptions>(StringComparer.Ordinal);

    /// <summary>Groups of keys, by name.</summary>
    public IDictionary<string, GroupOptions> Groups { get; } = new Dictionary<string, GroupOptions>(StringComparer.Ordinal);

    /// <summary>API keys of callers, by name (the name is their id in records; never the key itself).</summary>
    public IDictionary<string, KeyOptions> Keys { get; } = new Dictionary<string, KeyOptions>(StringComparer.Ordinal);

    /// <summary>
    /// Prices, by <c>upstream/model</c> as the upstream names it; either may end in a star, and the longest pattern that fits counts.
    /// </summary>
    public IDictionary<string, PriceOptions> Prices { get; } = new Dictionary<string, PriceOptions>(StringComparer.Ordinal);

    /// <summary>Requests of callers with a budget for a model without a price. Default <see cref="UnpricedModels.Refuse"/>.</summary>
    public UnpricedModels UnpricedModels { get; set; }

    /// <summary>Whose days and months budgets count, as the time zone database names it. Default null: UTC.</summary>
    public string? TimeZone { get; set; }

    /// <summary>Where keys and usage are kept. Default null: the executable has SQLite in its data directory. Ignored by the middleware: an app registers its stores.</summary>
    public StoreOptions? Store { get; set; }

    /// <summary>Who may use the admin API.</summary>
    public AdminOptions Admin { get; set; } = new();

    /// <summary>Serves callers without any key. Default false: an app without keys and without <see cref="HostIdentity"/> does not start.</summary>
    public bool AllowAnonymous { get; set; }

    /// <summary>
    /// Takes the caller from the host app's authenticated user instead of an API key; credential headers are then not read.
    /// Default null: callers come with API keys. Only for the middleware.
    /// </summary>
    public HostIdentityOptions? HostIdentity { get; set; }

    /// <summary>
    /// Answers 403 <c>model_not_allowed</c> for a model that exists but is not the caller's. Default false: both are 404
    /// <c>model_not_found</c>, so that nobody learns which models exist.
    /// </summary>
    public bool RevealForbiddenModels { get; set; }

    /// <summary>Sizes above which a request or an answer is refused.</summary>
    public LimitOptions Limits { get; set; } = new();

    /// <summary>What happens when a target fails.</summary>
    public FailoverOptions Failover { get; set; } = new();

    /// <summary>How the executable ends. Ignored by the middleware: an app stops as its own host says.</summary>
    public ShutdownOptions Shutdown { get; set; } = new();

    /// <summary>Which web pages may call the executable. Ignored by the middleware: an app has CORS of its own.</summary>
    public CorsOptions Cors { get; set; } = new();
}
