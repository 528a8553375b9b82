using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Errors that the admin API alone has.</summary>
internal static class AdminErrors
{
    public static ProxyError Unauthorized { get; } =
        new(401, "invalid_admin_key", "No valid admin key was sent. Send one as \"Authorization: Bearer KEY\"; it stands in Admin › Keys.");

    public static ProxyError NoKeys { get; } =
        new(401, "invalid_admin_key", "No admin key is configured, so that only the command line on the same machine may ask. Write one in Admin › Keys.");

    /// <summary>A key of a caller is no key of an operator.</summary>
    public static ProxyError NotAdmin { get; } =
        new(403, "admin_key_required", "This is a key for the API. The admin API needs one of Admin › Keys.") { IsFinal = true };

    public static ProxyError ReadOnly { get; } =
        new(403, "read_only_key", "This admin key may look and change nothing.") { IsFinal = true };

    /// <summary>A browser that is signed in was sent here by a page of somebody else.</summary>
    public static ProxyError ForeignPage { get; } =
        new(403, "foreign_page", "This request was made by a page of another site. Changes are only taken from your own.") { IsFinal = true };

    public static ProxyError UnknownUrl(string shown) =>
        new(404, "unknown_url", $"There is nothing at {shown}. GET openapi.json, in the same place, lists what there is.");

    public static ProxyError NotFound(string what, string shown) =>
        new(404, what + "_not_found", $"There is no {what} \"{shown}\".");

    public static ProxyError Conflict(string message) => new(409, "conflict", message);

    public static ProxyError NoStore { get; } =
        new(409, "no_store", "There is no store: what stands in the configuration is changed there. Configure a Store to keep keys and usage.");

    public static ProxyError StoreUnavailable { get; } =
        new(503, "store_unavailable", "The store cannot be reached at the moment. Nothing was changed. Try again.") { Blame = Blame.Proxy, RetryAfterMs = 1000 };

    public static ProxyError InvalidValue(string name, string expected) =>
        new(400, "invalid_value", $"\"{name}\" must be {expected}.") { Param = name };

    public static ProxyError Invalid(string message) => new(400, "invalid_settings", message);

    public static ProxyError ReloadRefused(string problems) =>
        new(422, "configuration_refused", $"The configuration cannot be used; the one before stays in force. {problems}");
}
