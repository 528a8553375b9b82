using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>A request's way through the proxy: every stage, in order, on one screen.</summary>
internal sealed partial class LlmProxyMiddleware(
    LlmProxySnapshots snapshots,
    FailedAttempts failures,
    RequestReader requests,
    StoredResponses stored,
    Admitter admitter,
    Balancer balancer,
    Forwarder forwarder,
    Coalescing coalescing,
    Relay relay,
    Accountant accountant,
    LlmProxyLifetime lifetime,
    LoopGuard loops,
    ClockWheel wheel,
    TimeProvider time,
    ILogger<LlmProxyMiddleware> logger)
{
    /// <summary>Answers a request.</summary>
    /// <param name="http">The request.</param>
    /// <param name="path">Its path behind the prefix.</param>
    public async Task InvokeAsync(HttpContext http, string path)
    {
        var seen = ClientHeaderScan.Of(http.Request.Headers);
        var exchange = Begin(http, seen);
        var snapshot = snapshots.Hold();
        exchange.Generation = snapshot.Generation;
        var match = EndpointTable.Match(http.Request, path);
        try
        {
            if ((RefuseUnread(http.Request, seen, snapshot.Options.Limits) ?? match.Error ?? await ServeAsync(http, seen, match, snapshot, exchange)) is { } error)
            {
                await RefuseAsync(http, match.Dialect, error, snapshot, exchange);
            }
        }
        catch (BrokenStreamException)
        {
            throw;
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested || e is ClientGoneException)
        {
            await RefuseAsync(http, match.Dialect, ProxyErrors.ClientGone, snapshot, exchange);
        }
        catch (Exception e)
        {
            Log.Failed(logger, e, exchange.Id);
            await RefuseAsync(http, match.Dialect, ProxyErrors.Internal, snapshot, exchange);
        }
        finally
        {
            accountant.Complete(exchange);
            snapshot.Release();
        }
    }

    /// <returns>The error that is to be answered; null once an answer has begun.</returns>
    private async ValueTask<ProxyError?> ServeAsync(
        HttpContext http, ClientHeaders seen, EndpointMatch match, LlmProxySnapshot snapshot, Exchange exchange)
    {
        // 1. Which operation is this?
        var endpoint = match.Endpoint!;
        Note(exchange, endpoint);

        // 2. Who calls?
        if (!Authenticator.Authenticate(http, seen, snapshot.Keys, time, failures).TryGet(out var caller, out var error))
        {
            return error;
        }

        Note(exchange, caller);
        if (endpoint.IsLocal)
        {
            return await AnswerLocallyAsync(http, match, caller, snapshot, exchange);
        }

        if ((caller.Operations & endpoint.Operation) == 0)
        {
            return ProxyErrors.OperationNotAllowed(endpoint.Name);
        }

        using var clock = new ExchangeClock(wheel, http.RequestAborted);

        // 3. What does it ask for?
        var read = await ReadAsync(http.Request, match, caller, snapshot, clock);
        if (!read.TryGet(out var request, out error))
        {
            return error;
        }

        exchange.RequestBytes = request.Body.Length;
        exchange.Model = endpoint.HasId ? null : DisplayText.Name(request.Fields.Model);
        try
        {
            // 4. Where does the model lead, for this caller? What an upstream keeps leads back to it.
            if (!Lead(match, request.Fields, caller, snapshot).TryGet(out var route, out error))
            {
                return error;
            }

            Note(exchange, route);

            // What is only explained goes nowhere.
            return http.Request.Headers.ContainsKey(ExplainHeader)
                ? await ExplainAsync(http, match, caller, request, route, exchange)
                : await RunAsync(http, match, caller, snapshot, request, route, clock, exchange);
        }
        finally
        {
            // Whoever still sends the body stops now: the answer is over.
            await EndAsync(request.Body, clock);
        }
    }

    private ValueTask<ProxyError?> RunAsync(
        HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, ReadRequest request, RouteMatch route, ExchangeClock clock, Exchange exchange)
    {
        // 5. May it run now? What it may use is set aside.
        return Admit(http, match.Endpoint!, caller, request, route, snapshot, exchange, out var mayAsk) is not { } refused
            ? ChooseAsync(http, match, caller, snapshot, request, route, clock, exchange)
            : mayAsk ? AskAndRunAsync(http, match, caller, snapshot, request, route, clock, exchange)
            : new(refused);
    }

    private ValueTask<ProxyError?> ChooseAsync(
        HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, ReadRequest request, RouteMatch route, ExchangeClock clock, Exchange exchange)
    {
        // 6. Which target now?
        return balancer.TrySelect(route, match.Endpoint!.Operation, caller, request, http.Request.Headers, out var selection)
            ? AnswerAsync(http, match, caller, snapshot, ForwardOf(http.Request, match, request, selection, exchange), clock, exchange)
            : new(NoTarget(match, request.Fields, route, caller, snapshot));
    }

    private async ValueTask<ProxyError?> AnswerAsync(
        HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, ForwardRequest forward, ExchangeClock clock, Exchange exchange)
    {
        var first = forward.Selection.First;
        clock.LimitTotal(first.Timeouts.Total);
        exchange.Streamed = forward.WantsStream;

        // 7. and 8. Ask until somebody commits, or wait for who asks the same; bring the answer to the client.
        exchange.SentUpstream = time.GetTimestamp();
        Action<AttemptNote> note = attempt => Note(exchange, forward, caller, attempt);
        using var part = forward.Route.Route.Coalesces ? coalescing.Join(exchange.Id, forward, snapshot.Options.Limits, note) : null;
        var plan = new RelayPlan(
            http, clock, forward, first, caller.Id, snapshot.Options.Limits, snapshot.Options.Contact,
            () => HeadersOf(exchange, caller, forward.Endpoint.Dialect), outcome => Note(exchange, outcome, forward, part));
        var sending = part is null
            ? forwarder.SendAsync(forward, snapshot.Options.Limits, clock, note)
            : ShareAsync(part, forward, caller, clock, exchange);
        if (!(await relay.RunAsync(plan, sending)).TryGet(out var ended, out var error))
        {
            exchange.CoalescedWith = part?.Settle(isWhole: false);
            return error;
        }

        // 9. What happened?
        Note(exchange, ended);
        exchange.CoalescedWith = part?.Settle(isWhole: ended.Error is null);
        if (ended.Fault is not null)
        {
            Log.Failed(logger, ended.Fault, exchange.Id);
        }

        return null;
    }
}
