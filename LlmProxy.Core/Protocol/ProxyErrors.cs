namespace LlmProxy.Core.Protocol;

/// <summary>Every error that the proxy makes itself: the one table of statuses and codes.</summary>
internal static class ProxyErrors
{
    private const int SoonMs = 1000;

    /// <summary>Its type is the same word.</summary>
    public const string InsufficientQuotaCode = "insufficient_quota";

    // The caller's fault.
    public static ProxyError InvalidJson(long offset) =>
        new(400, "invalid_json", $"The body is not valid JSON (at byte {offset}). Send one JSON object.");

    public static ProxyError InvalidBody { get; } =
        new(400, "invalid_body", "The body must be one JSON object.");

    public static ProxyError DuplicateKey(string name) =>
        new(400, "duplicate_key", $"\"{name}\" is given more than once. Send it once.") { Param = name };

    public static ProxyError AmbiguousKey(string name) =>
        new(400, "ambiguous_key", $"The body has a key that some servers read as \"{name}\". Write it exactly \"{name}\".") { Param = name };

    public static ProxyError InvalidType(string name, string expected) =>
        new(400, "invalid_type", $"\"{name}\" must be {expected}.") { Param = name };

    public static ProxyError ModelRequired { get; } =
        new(400, "model_required", "\"model\" is missing. Name the model to use; GET /v1/models lists them.") { Param = "model" };

    public static ProxyError InvalidModel(string why) =>
        new(400, "invalid_model", $"\"model\" {why}. GET /v1/models lists the models.") { Param = "model" };

    public static ProxyError BadRequest(string code, string message) => new(400, code, message);

    public static ProxyError InvalidApiKey { get; } =
        new(401, "invalid_api_key", "No valid API key was sent. Send one as \"Authorization: Bearer KEY\".");

    public static ProxyError KeyDisabled { get; } =
        new(401, "key_disabled", "Your API key is disabled.");

    public static ProxyError KeyExpired(DateTimeOffset end) =>
        new(401, "key_expired", $"Your API key was valid until {end.UtcDateTime:yyyy-MM-dd HH:mm} UTC.");

    public static ProxyError KeyRevoked { get; } =
        new(401, "key_revoked", "Your API key was revoked.");

    /// <summary>The same for a request that had begun before, whichever way its key has ended.</summary>
    public static ProxyError KeyEnded { get; } = KeyRevoked with { Message = "Your API key has ended while the request ran: it was revoked, disabled or replaced, or has expired." };

    public static ProxyError KeyUnusable { get; } =
        new(403, "key_unusable", "What is stored of your API key cannot be read by this version of the proxy. Not your fault; ask whoever runs it.") { IsFinal = true };

    public static ProxyError GroupGone(string group) =>
        new(403, "group_gone", $"The group \"{group}\" of your API key does not exist any more.") { IsFinal = true };

    public static ProxyError OperationNotAllowed(string operation) =>
        new(403, "operation_not_allowed", $"Your API key may not use {operation}.") { IsFinal = true };

    public static ProxyError AuthUnavailable { get; } =
        new(503, "auth_unavailable", "Keys cannot be looked up at the moment, and this one is not known from before. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs };

    public static ProxyError TooManyFailures(int retryAfterMs) =>
        new(429, "too_many_auth_failures", "Too many requests with a key that is not valid came from your address. Send a valid one.") { RetryAfterMs = retryAfterMs };

    public static ProxyError AmbiguousCredentials { get; } =
        new(400, "ambiguous_credentials", "The request carries two different API keys. Send one.");

    public static ProxyError ModelNotFound(string shown, string? nearest) =>
        new(404, "model_not_found", nearest is null
            ? $"Model \"{shown}\" does not exist here. GET /v1/models lists the models you may use."
            : $"Model \"{shown}\" does not exist here. Nearest you may use: {nearest}.")
        { Param = "model" };

    public static ProxyError ModelNotAllowed(string shown, string? nearest) =>
        new(403, "model_not_allowed", $"Your key may not use model \"{shown}\"." + (nearest is null ? "" : $" Nearest you may use: {nearest}."))
        { Param = "model", IsFinal = true };

    public static ProxyError UnsupportedOperation(string shown, string operation, string? other) =>
        new(404, "unsupported_operation", $"Model \"{shown}\" does not serve {operation}." + (other is null ? "" : $" Model \"{other}\" does."))
        { Param = "model" };

    public static ProxyError ResponseNotFound(string shown, string? param = null) =>
        new(404, "response_not_found", $"\"{shown}\" is not known here, or not yours. It may have been made elsewhere, or too long ago.") { Param = param };

    public static ProxyError ResponseElsewhere(string shown, string model, string param) =>
        new(404, "response_not_found", $"\"{shown}\" was made by a provider that does not serve model \"{model}\". Name the model it was made with, or send the whole conversation.")
        { Param = param };

    public static ProxyError UnknownUrl(string shown) =>
        new(404, "unknown_url", $"There is nothing at {shown}. The API is under /v1: chat/completions, responses, messages, completions, embeddings, models.");

    public static ProxyError DoubledPrefix(string shown) =>
        new(404, "unknown_url", $"{shown}: the base URL already ends in /v1 and the client adds it once more. Set the base URL without /v1 (for example ANTHROPIC_BASE_URL).");

    public static ProxyError MethodNotAllowed(string method, string allow) =>
        new(405, "method_not_allowed", $"{method} is not served here. Use {allow}.") { Allow = allow };

    public static ProxyError RequestTimeout { get; } =
        new(408, "request_timeout", "The body did not arrive in time.") { RetryAfterMs = SoonMs, ClosesConnection = true };

    public static ProxyError RequestTooLarge(long limit) =>
        new(413, "request_too_large", $"The body is larger than {limit} bytes.") { ClosesConnection = true };

    public static ProxyError UnsupportedMediaType { get; } =
        new(415, "unsupported_media_type", "Send the body as \"Content-Type: application/json\".") { Param = "Content-Type" };

    public static ProxyError UnsupportedCharset { get; } =
        new(415, "unsupported_charset", "Send the body as UTF-8.") { Param = "Content-Type" };

    public static ProxyError UnsupportedEncoding { get; } =
        new(415, "unsupported_content_encoding", "Send the body uncompressed, or with \"Content-Encoding: gzip\" or \"br\".") { Param = "Content-Encoding" };

    public static ProxyError AmbiguousFraming(string why) =>
        new(400, "invalid_request", why) { ClosesConnection = true };

    public static ProxyError UnsupportedTransferEncoding { get; } =
        new(501, "unsupported_transfer_encoding", "The only transfer coding served is chunked.") { IsFinal = true, ClosesConnection = true };

    public static ProxyError ExpectationFailed { get; } =
        new(417, "expectation_failed", "The only expectation served is 100-continue.") { Param = "Expect", ClosesConnection = true };

    public static ProxyError LoopDetected { get; } =
        new(508, "loop_detected", "The request came back to a proxy that had sent it on. Check the upstreams' addresses.") { IsFinal = true };

    public static ProxyError Overloaded { get; } =
        new(503, "overloaded", "The proxy holds as many request bodies as it may. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs };

    public static ProxyError Busy { get; } =
        new(503, "overloaded", "The proxy serves as many requests as it may at one time. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs };

    public static ProxyError InsufficientStorage { get; } =
        new(503, "insufficient_storage", "The proxy has no room left to keep account of requests. Try again later.") { Blame = Blame.Proxy, RetryAfterMs = 10 * SoonMs };

    public static ProxyError Forbidden { get; } =
        new(403, "forbidden", "You may not use this API.") { IsFinal = true };

    /// <summary>Nobody is told: the client has gone. The status stands in records only.</summary>
    public static ProxyError ClientGone { get; } = new(499, "client_disconnect", "The client went away.");

    /// <summary>Nobody is told: the client does not read.</summary>
    public static ProxyError ClientSlow { get; } = new(499, "client_slow", "The client did not take what it was sent.");

    /// <summary>Nobody is told: another target was faster.</summary>
    public static ProxyError Superseded { get; } = new(499, "superseded", "Another target was faster.");

    public static ProxyError ExplainNotAllowed { get; } =
        new(403, "explain_not_allowed", "x-llmproxy-explain is for keys with \"Debug\": true. Leave the header out, or ask with such a key.") { Param = "x-llmproxy-explain", IsFinal = true };

    /// <summary>A limit of our own is reached.</summary>
    public static ProxyError RateLimited(string message, int retryAfterMs) =>
        new(429, "rate_limit_exceeded", message) { RetryAfterMs = retryAfterMs };

    /// <summary>A budget has no room. Final unless <paramref name="retryAfterMs"/> says when there may be.</summary>
    public static ProxyError InsufficientQuota(string message, int retryAfterMs = 0) =>
        new(429, "insufficient_quota", message) { RetryAfterMs = retryAfterMs, IsFinal = retryAfterMs == 0 };

    public static ProxyError ModelUnpriced(string shown) =>
        new(403, "model_unpriced", $"Model \"{shown}\" has no price here, so nothing could be counted against your budget. Use another model.") { Param = "model", IsFinal = true };

    public static ProxyError AnswerUnbounded { get; } =
        new(400, "max_tokens_required", "Your limits set the longest possible answer aside, and nothing says how long that is. Send max_tokens (max_output_tokens for responses), and the whole conversation.") { Param = "max_tokens" };

    /// <summary>What was spent before the start could not be read yet.</summary>
    public static ProxyError SpendUnknown { get; } =
        new(503, "budget_unavailable", "What has been spent of your budget is not known yet. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs };

    public static ProxyError UnknownKey(string shown) =>
        new(404, "key_not_found", $"There is no key \"{shown}\". Give the name of one in Keys.") { Param = "key" };

    public static ProxyError Refused(int status, string code, string message) => new(status, code, message);

    // The upstream's.
    public static ProxyError ConnectError { get; } = Upstream(502, "upstream_connect_error", "The upstream could not be reached. Try again.") with { Cause = FailureCause.NotSent };

    public static ProxyError DnsError { get; } = Upstream(502, "upstream_dns_error", "The upstream's name could not be resolved. Try again.") with { Cause = FailureCause.NotSent };

    public static ProxyError ConnectTimeout { get; } = Upstream(504, "upstream_connect_timeout", "The upstream did not accept a connection in time. Try again.") with { Cause = FailureCause.NotSent };

    public static ProxyError TlsError { get; } = Upstream(502, "upstream_tls_error", "No secure connection to the upstream could be made.") with { Cause = FailureCause.NotSent };

    public static ProxyError AddressGuarded { get; } =
        Upstream(502, "upstream_address_guarded", "The upstream's address is one that this proxy does not ask. Not your fault; ask whoever runs this proxy.") with { IsFinal = true, Cause = FailureCause.NotSent };

    public static ProxyError Reset { get; } = Upstream(502, "upstream_reset", "The upstream broke the connection.");

    public static ProxyError Truncated { get; } = Upstream(502, "upstream_truncated", "The upstream ended its answer before it was whole.");

    public static ProxyError ProtocolError { get; } = Upstream(502, "upstream_protocol_error", "The upstream answered with something that is not HTTP.");

    public static ProxyError InvalidResponse { get; } = Upstream(502, "upstream_invalid_response", "The upstream's answer was not what its API promises.");

    public static ProxyError NotStreaming { get; } = Upstream(502, "upstream_not_streaming", "The upstream did not stream though a stream was asked for.");

    public static ProxyError UnexpectedStream { get; } = Upstream(502, "upstream_unexpected_stream", "The upstream streamed though no stream was asked for.");

    public static ProxyError UnsupportedUpstreamEncoding { get; } = Upstream(502, "upstream_unsupported_encoding", "The upstream compressed its answer in a way that was not asked for.");

    public static ProxyError Redirected { get; } = Upstream(502, "upstream_redirect", "The upstream redirected the request; redirects are not followed.") with { IsFinal = true };

    public static ProxyError Timeout { get; } = Upstream(504, "upstream_timeout", "The upstream did not answer in time.");

    public static ProxyError IdleTimeout { get; } = Upstream(504, "upstream_idle_timeout", "The upstream fell silent in the middle of its answer.");

    public static ProxyError DeadlineExceeded { get; } = Upstream(504, "deadline_exceeded", "The answer took longer than is allowed.") with { Cause = FailureCause.None };

    public static ProxyError AnswerTooLarge { get; } = Upstream(502, "upstream_answer_too_large", "The upstream's answer is larger than is allowed.");

    public static ProxyError EventTooLarge { get; } = Upstream(502, "event_too_large", "One event of the upstream's answer is larger than is allowed.");

    public static ProxyError AuthError { get; } =
        Upstream(502, "upstream_auth_error", "The provider refused our credentials. Not your fault; ask whoever runs this proxy.") with
        { IsFinal = true, Cause = FailureCause.KeyRefused };

    public static ProxyError ModelForbidden { get; } = AuthError with { Cause = FailureCause.ModelForbidden };

    public static ProxyError ModelError { get; } =
        Upstream(502, "upstream_model_error", "The provider does not know the model that this name leads to. Not your fault; ask whoever runs this proxy.") with
        { IsFinal = true, Cause = FailureCause.ModelUnknown };

    /// <summary>Every target is out and nothing was sent.</summary>
    public static ProxyError NoHealthyUpstream(int retryAfterMs) =>
        Upstream(503, "no_healthy_upstream", "No upstream of this model is well at the moment. Try again.") with { RetryAfterMs = retryAfterMs, Cause = FailureCause.NotSent };

    /// <summary>Every target has asked to be left alone for a while, and nothing was sent.</summary>
    public static ProxyError AllCooling(int retryAfterMs) =>
        Upstream(429, "rate_limit_exceeded", "The upstreams of this model have asked for a pause. Try again.") with { RetryAfterMs = retryAfterMs, Cause = FailureCause.NotSent };

    /// <summary>The request does not fit into the context window of the target's model; the code is OpenAI's own.</summary>
    public static ProxyError TooLong(ProxyError error) => error with { Code = "context_length_exceeded", Cause = FailureCause.TooLong };

    /// <summary>Every place at the upstreams is taken, and no more may wait.</summary>
    public static ProxyError Saturated { get; } =
        new(503, "upstream_saturated", "The upstream of this model has as many requests as it may. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs, Cause = FailureCause.NotSent };

    public static ProxyError UpstreamError(int status, string? message, int retryAfterMs = SoonMs) =>
        Upstream(status, status == 429 ? "rate_limit_exceeded" : "upstream_error", message ?? "The upstream reported an error.") with
        { RetryAfterMs = status is 408 or 429 or 502 or 503 or 504 or 529 ? retryAfterMs : 0 };

    // Ours.
    public static ProxyError Internal { get; } =
        new(500, "internal_error", "The proxy failed. This is a defect; please report it with the request id.") { Blame = Blame.Proxy };

    /// <summary>An answer that several read is kept for the slowest of them only so far.</summary>
    public static ProxyError FellBehind { get; } =
        new(503, "shared_answer_lost", "The answer is shared with identical requests, and this client has read too slowly to get all of it. Try again.") { RetryAfterMs = SoonMs };

    public static ProxyError ShuttingDown { get; } =
        new(503, "server_shutting_down", "The proxy is shutting down. Try again.") { Blame = Blame.Proxy, RetryAfterMs = SoonMs };

    public static ProxyError RefusedWhileStopping { get; } = ShuttingDown with { ClosesConnection = true };

    private static ProxyError Upstream(int status, string code, string message) =>
        new(status, code, message) { Blame = Blame.Upstream, RetryAfterMs = SoonMs, Cause = FailureCause.Failed };
}
