using System.Runtime.CompilerServices;
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
    ConcurrencyGate gate,
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
    public Task InvokeAsync(HttpContext http, string path) => RunAsync(http, path).AsTask();

    [AsyncMethodBuilder(typeof(ReusingMethodBuilder))]
    private async ValueTask RunAsync(HttpContext http, string path)
    {
        var seen = ClientHeaderScan.Of(http.Request.Headers);
        var exchange = Begin(http, seen);
        var snapshot = snapshots.Hold();
        exchange.Generation = snapshot.Generation;
        var match = EndpointMatch.None;
        try
        {
            match = EndpointTable.Match(http.Request, path);
            if ((RefuseUnread(http.Request, seen, snapshot.Options.Limits, exchange) ?? match.Error ?? await ServeAsync(http, seen, match, snapshot, exchange)) is { } error)
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
            if (exchange.HasEntered)
            {
                gate.Leave();
            }

            // What an app listens with may fail: the configuration must not be kept for ever by that.
            try
            {
                accountant.Complete(exchange);
            }
            finally
            {
                snapshot.Release();
            }
        }
    }

    /// <returns>The error that is to be answered; null once an answer has begun.</returns>
    [AsyncMethodBuilder(typeof(ReusingMethodBuilder<>))]
    private async ValueTask<ProxyError?> ServeAsync(
        HttpContext http, ClientHeaders seen, EndpointMatch match, LlmProxySnapshot snapshot, Exchange exchange)
    {
        // 1. Which operation is this? 2. Who calls?
        if (!Identify(http, seen, match.Endpoint!, snapshot, exchange, out var key).TryGet(out var caller, out var error))
        {
            return error;
        }

        if (match.Endpoint!.IsLocal)
        {
            return await AnswerLocallyAsync(http, match, caller, snapshot, exchange);
        }

        using var clock = wheel.Begin(http.RequestAborted, key);

        // 3. What does it ask for?
        if (!(await ReadAsync(http.Request, match, caller, snapshot, clock)).TryGet(out var request, out error))
        {
            return error;
        }

        Note(exchange, match, request);
        try
        {
            // 4. Where does the model lead, for this caller? What an upstream keeps leads back to it.
            if (!Lead(match, request.Fields, caller, snapshot).TryGet(out var route, out error))
            {
                return error;
            }

            Note(exchange, route);
            // What is only explained goes nowhere.
            if ((seen & ClientHeaders.Explain) != 0)
            {
                return await ExplainAsync(http, match, caller, request, route, exchange);
            }

            // 5. May it run now? What it may use is set aside.
            if (await AdmitAsync(http, match.Endpoint, caller, request, route, snapshot, exchange) is { } refused)
            {
                return refused;
            }

            // 6. Which target now?
            using var answering = Select(http, seen, match, caller, snapshot, ref request, route, clock, exchange);

            // 7. and 8. Ask until somebody commits, or wait for who asks the same; bring the answer to the client. 9. What happened?
            return answering is null ? NoTarget(match, request.Fields, route, caller, snapshot)
                : answering.Request.WantsStream ? End(answering, await relay.StreamAsync(answering, SendAsync(answering)))
                : End(answering, await relay.AnswerAsync(answering, await SendAsync(answering)));
        }
        finally
        {
            // Whoever still sends the body stops now: the answer is over.
            await EndAsync(request.Body, clock);
        }
    }
}
