using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core;

/// <summary>An answer, from the choice of a target to the books.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private static void Note(Exchange exchange, EndpointMatch match, in ReadRequest request)
    {
        exchange.RequestBytes = request.Body.Length;
        exchange.Model = match.Endpoint!.HasId ? null : DisplayText.Name(request.Fields.Model);
    }

    private static void Note(Exchange exchange, in RouteMatch route)
    {
        exchange.Route = route.Route.Name;
        exchange.Model ??= route.Asked.Length > 0 ? DisplayText.Name(route.Asked) : null;
    }

    /// <summary>Chooses who is asked, and makes what it takes for that. What the body asks for is that one's from here on: a stream lets go of it at its commit.</summary>
    /// <returns>Null if none of the route's targets may serve this request.</returns>
    private Answering? Select(
        HttpContext http, ClientHeaders seen, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot,
        ref ReadRequest request, in RouteMatch route, ExchangeClock clock, Exchange exchange)
    {
        var endpoint = match.Endpoint!;
        if (!balancer.TrySelect(route, endpoint.Operation, caller, request, http.Request.Headers, out var selection))
        {
            return null;
        }

        var trace = Accountant.UpstreamTrace(exchange);
        var query = endpoint.HasId ? ForwardedQuery.Of(endpoint, http.Request.Query) : "";
        var forward = new ForwardRequest(endpoint, match.Id, query, selection, request.Fields, request.Body, http.Request.Headers, trace.Parent, trace.State)
        {
            Seen = seen,
            WantsUsage = accountant.WantsUsage(exchange, route),
        };
        request = request with { Fields = RequestFields.Gone };
        var answering = new Answering(this, http, clock, forward, caller, snapshot, exchange);
        clock.LimitTotal(answering.First.Timeouts.Total);
        exchange.Streamed = forward.WantsStream;
        exchange.SentUpstream = time.GetTimestamp();
        answering.Part = route.Route.Coalesces ? coalescing.Join(exchange.Id, forward, snapshot.Options.Limits, answering) : null;
        return answering;
    }

    private ValueTask<Result<UpstreamAnswer>> SendAsync(Answering answering) => answering.Part is { } part
        ? ShareAsync(part, answering.Request, answering.Caller, answering.Clock, answering.Exchange)
        : forwarder.SendAsync(answering.Request, answering.Limits, answering.Clock, answering);

    /// <param name="answering">The answer.</param>
    /// <param name="result">How it ended, or why there was none.</param>
    /// <returns>The error that is still to be answered; null once an answer has begun.</returns>
    private ProxyError? End(Answering answering, in Result<RelayOutcome> result)
    {
        var exchange = answering.Exchange;
        answering.NoteGivenUp();
        if (!result.TryGet(out var ended, out var error))
        {
            SettlePart(exchange, answering.Request, answering.Part, isWhole: false);
            return error;
        }

        Note(exchange, ended);
        SettlePart(exchange, answering.Request, answering.Part, isWhole: ended.Error is null);
        if (ended.Fault is not null)
        {
            Log.Failed(logger, ended.Fault, exchange.Id);
        }

        ended.GiveBack();
        return null;
    }

    /// <summary>Which of those that share a call answers for it. That one may be none of its attempts' own exchange: what it has to know of them the call tells.</summary>
    private static void SettlePart(Exchange exchange, ForwardRequest forward, SharedPart? part, bool isWhole)
    {
        if (part is null || exchange.IsSettled)
        {
            return;
        }

        var end = part.Settle(isWhole, new SharedRelay(exchange.TextBytes, exchange.Events));
        exchange.CoalescedWith = end.PaidBy;
        if (end.PaidBy is null)
        {
            exchange.WasSent |= part.WasSent;
            (exchange.TextBytes, exchange.Events) = (end.Relayed.TextBytes, end.Relayed.Events);
            if (exchange.Upstream is null && part.Target is { } target)
            {
                NoteTarget(exchange, forward.Route, target);
            }
        }
    }

    /// <summary>An answer on its way: what the stages that bring it have to tell is written down here.</summary>
    private sealed class Answering(
        LlmProxyMiddleware proxy, HttpContext http, ExchangeClock clock, ForwardRequest request, Caller caller, LlmProxySnapshot snapshot, Exchange exchange)
        : RelayPlan(http, clock, request, request.Selection.First), IAttemptBooks, IDisposable
    {
        public override string CallerId => caller.Id;

        public override LimitOptions Limits => snapshot.Options.Limits;

        public override string? Contact => snapshot.Options.Contact;

        public Caller Caller => caller;

        public Exchange Exchange => exchange;

        /// <summary>What is shared with others who ask the same; null for a call of its own.</summary>
        public SharedPart? Part { get; set; }

        public void Note(in AttemptNote happened) => proxy.Note(exchange, Request, caller, happened);

        public override ResponseHeaders Headers() => proxy.HeadersOf(exchange, caller, Request.Endpoint.Dialect);

        public override void Complete(RelayOutcome outcome)
        {
            NoteGivenUp();
            proxy.Note(exchange, outcome, Request, Part);
        }

        /// <summary>Before it is settled: whose clock it was that ended it decides who pays.</summary>
        public void NoteGivenUp() => exchange.IsGivenUp = Clock.Reason == CutOff.Impatience;

        public void Dispose()
        {
            // Where something of ours has failed, others answer for the call: then this one must not.
            SettlePart(exchange, Request, Part, isWhole: false);
            Part?.Dispose();
        }
    }
}
