namespace LlmProxy.Core.Accounting;

/// <summary>Values of <c>traceparent</c> and <c>tracestate</c> for the request upstream; null where none is sent.</summary>
internal readonly record struct TraceHeaders(string? Parent, string? State);
