using System.Text.Json;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>Writes what would become of a request. Configured names and numbers only, and the name of the model that was asked for.</summary>
internal sealed class Explanation(Utf8JsonWriter json, DateTimeOffset now)
{
    /// <param name="request">What is asked, and among which targets. Nothing is taken from these.</param>
    /// <param name="caller">By whom.</param>
    /// <param name="generation">Of the configuration that decides.</param>
    public void Write(ForwardRequest request, Caller caller, long generation)
    {
        var route = request.Route.Route;
        json.WriteStartObject();
        json.WriteString("object"u8, "llmproxy.explanation"u8);
        json.WriteNumber("generation"u8, generation);
        json.WriteString("operation"u8, request.Endpoint.Name);
        json.WriteBoolean("stream"u8, request.WantsStream);
        json.WriteString("model"u8, DisplayText.Name(request.Route.Asked));
        json.WriteString("resolved"u8, DisplayText.Name(request.Route.Resolved));
        json.WriteString("route"u8, route.Name);
        json.WriteString("caller"u8, caller.Id);
        WriteText("group"u8, caller.Group);
        WriteTexts("upstream_tags"u8, caller.UpstreamTags);
        WriteText("kept_by"u8, request.Route.Keeper);
        json.WriteString("balance"u8, route.Balance.ToString());
        json.WriteString("order_by"u8, request.Selection.OrderedBy);
        WriteText("sticky"u8, route.Sticky is { } sticky ? sticky.By == StickyBy.Header ? $"Header:{sticky.Header}" : sticky.By.ToString() : null);
        json.WriteStartArray("targets"u8);
        foreach (var view in request.Selection.Explain(request.Endpoint.Operation))
        {
            WriteTarget(view, request.Route.Star);
        }

        json.WriteEndArray();
        WriteFailover(route.Failover);
        WriteHedge(request);
        WriteMirror(route.Mirror, request.Route.Star);
        json.WriteStartObject("coalesce"u8);
        json.WriteBoolean("on"u8, route.Coalesces);
        json.WriteBoolean("this_request"u8, CallIdentity.Suits(request));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteTarget(in TargetView view, ReadOnlySpan<char> star)
    {
        var target = view.Candidate.Target;
        var places = view.Candidate.State.Places;
        json.WriteStartObject();
        if (view.Order > 0)
        {
            json.WriteNumber("order"u8, view.Order);
        }
        else
        {
            json.WriteNull("order"u8);
        }

        json.WriteString("upstream"u8, target.Upstream.Name);
        json.WriteString("model"u8, DisplayText.Name(target.ModelFor(star)));
        json.WriteNumber("priority"u8, target.Priority);
        json.WriteNumber("weight"u8, target.Weight);
        if (target.Context > 0)
        {
            json.WriteNumber("context"u8, target.Context);
        }

        json.WriteString("state"u8, view.State);
        WriteText("why"u8, view.Why ?? (target.Weight == 0 ? "its weight is 0: only when others fail" : null));
        if (view.ForMs is { } wait)
        {
            json.WriteString("until"u8, now.UtcDateTime.AddMilliseconds(wait));
        }

        json.WriteNumber("under_way"u8, view.Candidate.Load.Active);
        json.WriteNumber("places_taken"u8, places.Taken);
        json.WriteNumber("waiting"u8, places.Waiting);
        WriteTimeouts(target.Timeouts);
        json.WriteEndObject();
    }

    private void WriteTimeouts(TimeoutOptions timeouts)
    {
        json.WriteStartObject("timeouts_ms"u8);
        WriteTime("connect"u8, timeouts.Connect);
        WriteTime("first_event"u8, timeouts.FirstEvent);
        WriteTime("idle"u8, timeouts.Idle);
        WriteTime("response"u8, timeouts.Response);
        WriteTime("total"u8, timeouts.Total);
        WriteTime("heartbeat"u8, timeouts.Heartbeat);
        WriteTime("stalled_reader"u8, timeouts.StalledReader);
        json.WriteEndObject();
    }

    private void WriteFailover(FailoverOptions failover)
    {
        json.WriteStartObject("failover"u8);
        json.WriteBoolean("fail_open"u8, failover.FailOpen);
        json.WriteNumber("budget_percent"u8, failover.BudgetPercent);
        json.WriteNumber("budget_least"u8, failover.BudgetLeast);
        json.WriteEndObject();
    }

    private void WriteHedge(ForwardRequest request)
    {
        if (request.Selection.Route.Hedge is not { } hedge)
        {
            json.WriteNull("hedge"u8);
            return;
        }

        json.WriteStartObject("hedge"u8);
        json.WriteBoolean("this_request"u8, HedgedCall.Suits(request));
        if ((hedge.After ?? HedgedCall.UsualDelay(request)) is { } delay)
        {
            WriteTime("after_ms"u8, delay);
        }
        else
        {
            // Too little is known of the model's times.
            json.WriteNull("after_ms"u8);
        }

        json.WriteBoolean("measured"u8, hedge.After is null);
        json.WriteNumber("budget_percent"u8, hedge.BudgetPercent);
        json.WriteEndObject();
    }

    private void WriteMirror(Mirror? mirror, ReadOnlySpan<char> star)
    {
        if (mirror is null)
        {
            json.WriteNull("mirror"u8);
            return;
        }

        json.WriteStartObject("mirror"u8);
        json.WriteString("upstream"u8, mirror.Target.Upstream.Name);
        json.WriteString("model"u8, DisplayText.Name(mirror.Target.ModelFor(star)));
        json.WriteNumber("percent"u8, mirror.Percent);
        json.WriteEndObject();
    }

    private void WriteTime(ReadOnlySpan<byte> name, TimeSpan time) => json.WriteNumber(name, (long)time.TotalMilliseconds);

    private void WriteText(ReadOnlySpan<byte> name, string? text)
    {
        if (text is null)
        {
            json.WriteNull(name);
        }
        else
        {
            json.WriteString(name, text);
        }
    }

    private void WriteTexts(ReadOnlySpan<byte> name, string[] texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
