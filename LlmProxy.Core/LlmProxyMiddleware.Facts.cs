using System.Globalization;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>What the pipeline writes down, and its answers that involve no upstream.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private const int LongestClientId = 128;

    private Exchange Begin(HttpContext http, ClientHeaders seen)
    {
        var headers = http.Request.Headers;
        var clientId = (seen & ClientHeaders.RequestId) != 0 ? ClientIdOf(headers) : null;
        var exchange = accountant.IsTracing
            ? accountant.Begin(clientId, headers.TraceParent, headers.TraceState)
            : accountant.Begin(clientId);
        if ((seen & ClientHeaders.RetryCount) != 0 && headers.TryGetValue("x-stainless-retry-count", out var retries)
            && int.TryParse(retries.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            exchange.ClientRetries = count;
        }

        return exchange;
    }

    /// <summary>What is refused whatever it asks for. Who is not, is inside until <see cref="RunAsync"/> ends.</summary>
    private ProxyError? RefuseUnread(HttpRequest request, ClientHeaders seen, LimitOptions limits, Exchange exchange) =>
        lifetime.RefusesNew ? ProxyErrors.RefusedWhileStopping
        : !(exchange.HasEntered = gate.TryEnter(limits.Concurrent)) ? ProxyErrors.Busy
        : (seen & ClientHeaders.Via) != 0 && loops.IsLoop(request.Headers) ? ProxyErrors.LoopDetected
        : HttpEdge.Check(request);

    /// <summary>A client's own id is echoed if it cannot break a header or a log line; it never identifies a record.</summary>
    private static string? ClientIdOf(IHeaderDictionary headers)
    {
        if (!headers.TryGetValue("x-request-id", out var values) || values.Count != 1 || values[0] is not { Length: > 0 and <= LongestClientId } id)
        {
            return null;
        }

        foreach (var c in id)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
            {
                return null;
            }
        }

        return id;
    }

    private ValueTask<Result<ReadRequest>> ReadAsync(
        HttpRequest request, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, ExchangeClock clock)
    {
        // Most requests are there when they are begun.
        var reading = requests.ReadAsync(request, match.Endpoint!, match.Model, caller, snapshot.Routes.Fields, snapshot.Options.Limits, clock);
        return reading.IsCompletedSuccessfully ? reading : ReadAsync(reading, clock);
    }

    private static async ValueTask<Result<ReadRequest>> ReadAsync(ValueTask<Result<ReadRequest>> reading, ExchangeClock clock)
    {
        try
        {
            return await reading;
        }
        catch (OperationCanceledException) when (Faults.OfCutOff(clock.Reason) is not null && clock.Reason != CutOff.None)
        {
            return Faults.OfCutOff(clock.Reason)! with { ClosesConnection = true };
        }
    }

    private static Task EndAsync(RequestBody body, ExchangeClock clock)
    {
        var end = body.EndAsync();
        if (!end.IsCompleted)
        {
            clock.Cut(CutOff.ClientGone);
        }

        return end;
    }

    private async ValueTask RefuseAsync(HttpContext http, Dialect dialect, ProxyError error, LlmProxySnapshot snapshot, Exchange exchange)
    {
        Note(exchange, error);

        // Before the client hears of it: what it had set aside is free for its next request.
        accountant.Settle(exchange);
        if (http.Response.HasStarted)
        {
            // Returning would end it cleanly.
            StalledReader.Abort(http);
            return;
        }

        if (error.Status == StatusCodes.Status499ClientClosedRequest || http.RequestAborted.IsCancellationRequested)
        {
            // Nobody reads it, but the app's own logs do: not a 200.
            http.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }

        var overhead = exchange.SentUpstream == 0 ? (TimeSpan?)null : accountant.Overhead(exchange);
        exchange.ResponseBytes = await ErrorReply.WriteAsync(
            http, dialect, error, snapshot.Options.Contact,
            new ResponseHeaders(exchange.Id, exchange.ClientId, overhead)
            {
                RequestIdHeader = dialect.RequestIdHeader,
                Rates = exchange.Lease.IsGiven ? exchange.Lease.Rates() : exchange.Rates,
                Now = NowFor(dialect),
            });
    }

    private ResponseHeaders HeadersOf(Exchange exchange, Caller caller, Dialect dialect)
    {
        var headers = new ResponseHeaders(exchange.Id, exchange.ClientId, accountant.Overhead(exchange))
        {
            RequestIdHeader = dialect.RequestIdHeader,
            Rates = exchange.Lease.Rates(),
            Now = NowFor(dialect),
        };
        return caller.Debug
            ? headers with { Upstream = exchange.Upstream, UpstreamModel = exchange.UpstreamModel, Attempts = exchange.Attempts, Generation = exchange.Generation }
            : headers;
    }

    /// <summary>Waits for the call that several share; its attempts are noted by who began it.</summary>
    private async ValueTask<Result<UpstreamAnswer>> ShareAsync(SharedPart part, ForwardRequest forward, Caller caller, ExchangeClock clock, Exchange exchange)
    {
        var result = await part.AnswerAsync(clock);
        forward.Body.End();
        if (result.TryGet(out var answer, out _))
        {
            if (exchange.FirstEvent == 0)
            {
                exchange.FirstEvent = time.GetTimestamp();
                NoteTarget(exchange, forward.Route, answer.Target);
            }

            Remember(forward, caller, answer.Target, answer);
            forward.ForgetFields();
        }

        return result;
    }

    private static void Note(Exchange exchange, ProxyError error)
    {
        exchange.Status = error.Status;
        exchange.End = error.Code;
        exchange.Blame = error.Blame;
    }

    /// <summary>Before the end of an answer goes out: what the next request of the same conversation has to find, and who pays.</summary>
    private void Note(Exchange exchange, RelayOutcome outcome, ForwardRequest forward, SharedPart? part)
    {
        Note(exchange, outcome);
        SettlePart(exchange, forward, part, isWhole: outcome.Error is null);
        if (outcome.Error is null)
        {
            forward.Selection.Learn(exchange.Upstream, exchange.TargetModel, outcome.Usage);
        }

        accountant.Settle(exchange);
    }

    private static void Note(Exchange exchange, RelayOutcome outcome)
    {
        if (outcome.Error is { } error)
        {
            Note(exchange, error);
            exchange.Truncated = error.Blame != Blame.Client && outcome.Events > 0;
        }

        // The status went out before anything could break.
        exchange.Status = outcome.Error is { Status: StatusCodes.Status499ClientClosedRequest } gone && outcome.Bytes == 0
            ? gone.Status
            : StatusCodes.Status200OK;
        if (!exchange.IsSettled)
        {
            exchange.Usage = outcome.Usage;
            exchange.RawUsage = outcome.RawUsage;
            exchange.TextBytes = exchange.HasText ? outcome.TextBytes : 0;
        }

        exchange.ResponseBytes = outcome.Bytes;
        exchange.Events = outcome.Events;
        exchange.LastEvent = outcome.LastEvent;
        exchange.MissingDone = outcome.MissingDone;
        exchange.DoneWithoutFinish = outcome.DoneWithoutFinish;
        if (outcome is { Error: null, Reported: { } failure })
        {
            // Nothing is wrong with the stream: the answer that it brought whole says that it failed.
            exchange.End = failure.Code;
            exchange.Blame = failure.Blame;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Request {Id} failed in the proxy itself.")]
        public static partial void Failed(ILogger logger, Exception exception, string id);

        [LoggerMessage(2, LogLevel.Warning, "Upstream {Upstream} refused our credentials (401 or 403).")]
        public static partial void CredentialsRefused(ILogger logger, string upstream);
    }
}
