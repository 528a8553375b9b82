using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>All that an answer depends on besides the upstream.</summary>
/// <remarks>What it asks of the books is methods of its own and no delegates: each would be one more object for every request.</remarks>
/// <param name="http">The client.</param>
/// <param name="clock">The exchange's.</param>
/// <param name="request">What was asked for.</param>
/// <param name="first">The first who may answer: its clocks and rules hold until somebody does.</param>
internal abstract class RelayPlan(HttpContext http, ExchangeClock clock, ForwardRequest request, Target first) : IRelayBooks
{
    public HttpContext Http => http;

    public ExchangeClock Clock => clock;

    public ForwardRequest Request => request;

    public Target First => first;

    /// <summary>For the filters.</summary>
    public abstract string CallerId { get; }

    /// <summary>Sizes.</summary>
    public abstract LimitOptions Limits { get; }

    /// <summary>Whom a refused caller should ask.</summary>
    public abstract string? Contact { get; }

    /// <summary>Makes our headers, at the moment they are sent.</summary>
    public abstract ResponseHeaders Headers();

    /// <inheritdoc/>
    public abstract void Complete(RelayOutcome outcome);
}

/// <summary>Brings the answer to the client: the front door of the eighth stage.</summary>
internal sealed class Relay(TimeProvider time, IEnumerable<IResponseFilter> filters)
{
    private readonly IResponseFilter[] _filters = [.. filters];

    /// <summary>Waits for an answer to commit, with heartbeats, and relays its events to their end.</summary>
    /// <returns>How it ended, or the error that is still to be answered because nothing has been sent yet.</returns>
    /// <exception cref="BrokenStreamException">See <see cref="ClientStream.BreakAsync"/>.</exception>
    public async ValueTask<Result<RelayOutcome>> StreamAsync(RelayPlan plan, ValueTask<Result<UpstreamAnswer>> sending)
    {
        var client = new ClientStream(plan.Http, plan.Clock);
        var wait = new QuietWait();
        plan.Clock.WatchQuiet(plan.First.Timeouts.Heartbeat, wait);
        var result = sending.IsCompleted ? await sending : await HoldAsync(plan, client, wait, sending);

        // What waited for the commit is not kept for as long as the stream lasts.
        sending = default;
        if (!result.TryGet(out var events, out var failure))
        {
            return client.HasBegun && failure.Status != 499 ? await FailAsync(plan, client, failure) : failure;
        }

        using (events)
        {
            if (!client.HasBegun)
            {
                await BeginStreamAsync(plan, client, events);
            }

            return await RelayOf(plan, client, wait, events).RunAsync(events);
        }
    }

    /// <summary>
    /// Waits for the commit. A heartbeat that falls due sends the status; it commits nothing else, but for clients that ignore
    /// comments: there it asks for the events that are held.
    /// </summary>
    private static async ValueTask<Result<UpstreamAnswer>> HoldAsync(
        RelayPlan plan, ClientStream client, QuietWait wait, ValueTask<Result<UpstreamAnswer>> sending)
    {
        var awaiter = sending.GetAwaiter();
        wait.Begin();
        awaiter.UnsafeOnCompleted(wait.OnCompleted);
        try
        {
            while (!wait.HasCompleted)
            {
                await wait.SleepAsync();
                if (plan.Clock.IsQuiet && !wait.HasCompleted && plan.Clock.Reason == CutOff.None)
                {
                    await BeatAsync(plan, client);
                }
            }
        }
        catch
        {
            // What the app does when a response begins may fail. The attempt must not outlive the clock that bounds it.
            plan.Clock.Cut(CutOff.Fault);
            while (!wait.HasCompleted)
            {
                await wait.SleepAsync();
            }

            awaiter.GetResult().Value?.Dispose();
            throw;
        }

        return awaiter.GetResult();
    }

    private static async ValueTask BeatAsync(RelayPlan plan, ClientStream client)
    {
        if (!client.HasBegun)
        {
            await BeginStreamAsync(plan, client, null);
        }

        client.Write(SseText.Heartbeat);
        await client.FlushAsync();
        plan.Clock.TouchQuiet();
        plan.Request.Held?.Ask();
    }

    private EventRelay RelayOf(RelayPlan plan, ClientStream client, QuietWait wait, UpstreamAnswer answer)
    {
        var events = new EventRelayPlan(
            CreateInspector(plan, answer.Target),
            answer.Target.Timeouts.Idle,
            plan.Limits.Event,
            plan.Headers().RequestId,
            plan.Contact,
            FiltersFor(plan, answer),
            plan);
        return new EventRelay(client, plan.Clock, wait, time, events);
    }

    /// <summary>Relays an answer for which no stream was asked to its end.</summary>
    /// <returns>How it ended, or the error that is still to be answered because nothing has been sent yet.</returns>
    /// <exception cref="BrokenStreamException">See <see cref="ClientStream.BreakAsync"/>.</exception>
    public async ValueTask<Result<RelayOutcome>> AnswerAsync(RelayPlan plan, Result<UpstreamAnswer> result)
    {
        if (!result.TryGet(out var answer, out var error))
        {
            return error;
        }

        using (answer)
        {
            var filter = FiltersFor(plan, answer);
            if (filter is not null && answer.Kind == AnswerKind.LargeJson)
            {
                return ProxyErrors.AnswerTooLarge;
            }

            plan.Headers().Apply(plan.Http.Response, answer, answer.Target.Upstream.Redactor);
            if (answer.Kind == AnswerKind.LargeJson)
            {
                var client = new ClientStream(plan.Http, plan.Clock);
                plan.Clock.WatchIdle(answer.Target.Timeouts.Idle);
                plan.Clock.WatchReader(answer.Target.Timeouts.StalledReader, ReaderProgress.SocketOf(plan.Http), ReaderProgress.Probe);
                return await AnswerRelay.SendLargeAsync(plan, client, answer, time);
            }

            return await AnswerRelay.SendHeldAsync(plan, answer, filter);
        }
    }

    /// <summary>Nothing committed, but a heartbeat has sent the status: the failure is told in the stream.</summary>
    private async ValueTask<RelayOutcome> FailAsync(RelayPlan plan, ClientStream client, ProxyError error)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>(512);
        CreateInspector(plan, plan.First).WriteErrorEvent(error, ErrorText.Compose(error, plan.Contact), plan.Headers().RequestId, output);
        client.Write(output.WrittenSpan);
        var outcome = new RelayOutcome { Error = error, Bytes = client.Bytes };
        plan.Complete(outcome);
        await client.BreakAsync(time);
        return outcome;
    }

    private static ValueTask BeginStreamAsync(RelayPlan plan, ClientStream client, UpstreamAnswer? answer)
    {
        var response = plan.Http.Response;
        plan.Headers().Apply(response, answer, (answer?.Target ?? plan.First).Upstream.Redactor);
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        plan.Clock.WatchReader((answer?.Target ?? plan.First).Timeouts.StalledReader, ReaderProgress.SocketOf(plan.Http), ReaderProgress.Probe);
        return client.BeginAsync();
    }

    private static StreamInspector CreateInspector(RelayPlan plan, Target target) =>
        plan.Request.Endpoint.Dialect.CreateInspector(AttemptSender.Expect(plan.Request, target.Upstream));

    private ResponseFilters? FiltersFor(RelayPlan plan, UpstreamAnswer answer) => _filters.Length == 0 ? null : MakeFilters(plan, answer.Target);

    // Apart, because what a lambda holds is allocated as soon as its method is entered.
    private ResponseFilters MakeFilters(RelayPlan plan, Target target) => new(
        _filters, new LlmResponse(plan.Request.Endpoint.Name, plan.CallerId, plan.Request.Route.Asked), () => CreateInspector(plan, target));
}
