using System.Diagnostics;
using LlmProxy.Core.Protocol;
using Label = LlmProxy.Core.Accounting.MetricNames.Label;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// One activity per request, made only while somebody listens. Its kind is Client, as the conventions for generative AI want it:
/// it is the call of the model; the server's side is ASP.NET's own activity.
/// </summary>
internal sealed class ProxyTracing : IDisposable
{
    // What W3C Trace Context asks everybody to carry; a longer one may be dropped whole.
    private const int MaxTraceState = 512;

    private readonly ActivitySource _source = new(LlmProxyTelemetry.ActivitySourceName);

    /// <summary>True while anybody listens; else no header needs to be looked up.</summary>
    public bool IsOn => _source.HasListeners();

    /// <summary>Starts an activity under ASP.NET's own, or else under what the client's headers name; null if nobody wants one.</summary>
    public Activity? Start(string? traceParent, string? traceState)
    {
        if (!_source.HasListeners())
        {
            return null;
        }

        var current = Activity.Current;
        if (current is not null && current.Source.HasListeners())
        {
            return _source.StartActivity("chat", ActivityKind.Client);
        }

        // Hosting makes an activity for its log scopes even when nobody exports it. As a parent it would be a span that
        // no trace contains, so the client's own is taken, which hosting had it from.
        ActivityContext.TryParse(traceParent, Carried(traceState), isRemote: true, out var parent);
        Activity.Current = null;
        var activity = _source.StartActivity("chat", ActivityKind.Client, parent);
        if (activity is null)
        {
            Activity.Current = current;
        }

        return activity;
    }

    /// <summary>What goes upstream: the activity's own context, or nothing. A client's headers are never passed on as they came.</summary>
    public static TraceHeaders Headers(Activity? activity) =>
        activity is { IdFormat: ActivityIdFormat.W3C, Id: { } id } ? new(id, Carried(activity.TraceStateString)) : default;

    /// <summary>Writes down how the request ended and stops its activity.</summary>
    public static void End(Activity activity, Exchange exchange)
    {
        if (activity.IsAllDataRequested)
        {
            Describe(activity, exchange);
        }

        activity.Stop();
    }

    public void Dispose() => _source.Dispose();

    private static string? Carried(string? traceState) => traceState is { Length: > 0 and <= MaxTraceState } ? traceState : null;

    private static void Describe(Activity activity, Exchange exchange)
    {
        var operation = exchange.GenAiOperation ?? "unknown";
        activity.DisplayName = exchange.Route is null ? operation : $"{operation} {exchange.Route}";
        activity.SetTag(Label.Operation, exchange.GenAiOperation);
        activity.SetTag(Label.Provider, exchange.Provider);
        activity.SetTag(Label.RequestModel, exchange.Route);
        activity.SetTag(Label.ResponseModel, exchange.ResponseModel);
        activity.SetTag(Label.Upstream, exchange.Upstream);
        activity.SetTag(Label.RequestId, exchange.Id);
        activity.SetTag(Label.Status, exchange.Status);
        activity.SetTag(Label.Attempts, exchange.Attempts);
        activity.SetTag(Label.Stream, exchange.Streamed);
        activity.SetTag(Label.InputTokens, exchange.Usage.Input >= 0 ? exchange.Usage.Input : null);
        activity.SetTag(Label.OutputTokens, exchange.Usage.Output >= 0 ? exchange.Usage.Output : null);
        if (exchange.ErrorType is { } error)
        {
            activity.SetTag(Label.ErrorType, error);
            // What a client did wrong is no fault of the service; the HTTP conventions leave the status unset, too.
            if (exchange.Blame != Blame.Client)
            {
                activity.SetStatus(ActivityStatusCode.Error, error);
            }
        }
    }
}
