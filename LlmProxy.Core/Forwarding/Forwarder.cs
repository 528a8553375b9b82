using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Asks upstreams until one commits: the front door of the seventh stage.</summary>
internal sealed class Forwarder(UpstreamClients clients, LoopGuard loops)
{
    /// <summary>Sends the request to a target and reads its answer up to the commit. Never throws for what an upstream does.</summary>
    /// <param name="request">What the client asks for.</param>
    /// <param name="target">Whom to ask.</param>
    /// <param name="parts">The body with its changes for that target.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="clock">The exchange's.</param>
    public async ValueTask<Result<UpstreamAnswer>> SendAsync(
        ForwardRequest request, Target target, List<BodyPart> parts, LimitOptions limits, ExchangeClock clock)
    {
        var upstream = target.Upstream;
        if (!clock.IsInPhase)
        {
            clock.Begin(
                request.WantsStream ? CutOff.FirstEvent : CutOff.Response,
                ClientTimeout.Bound(request.Headers, request.WantsStream ? upstream.Timeouts.FirstEvent : upstream.Timeouts.Response));
        }

        var message = UpstreamRequest.Build(request, target, parts);
        message.Headers.TryAddWithoutValidation(LoopGuard.Header, loops.Next(request.Headers));
        var attempt = new Attempt();
        HttpResponseMessage? response = null;
        var isCommitted = false;
        var isWaiting = false;
        try
        {
            response = await attempt.SendAsync(clients.For(upstream), message, clock.Token);
            var reader = new AnswerReader(request, upstream, Expect(request, upstream), limits.HeldAnswer, limits.Event);
            var result = await reader.ReadAsync(response, clock.Token);
            isCommitted = result.Error is null;
            isWaiting = result.Value is { HasOutput: false };
            return result;
        }
        catch (Exception e)
        {
            if (clock.Reason != CutOff.None)
            {
                return Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone;
            }

            // Who asks once more because a kept connection was lost has no more time than who was asked once: the phase goes on.
            isWaiting = response is null && attempt.WasLost;
            return response is not null ? Faults.InAnswer(e)
                : Faults.BeforeAnswer(e, attempt.HasConnected) with { MayRepeat = attempt.WasLost };
        }
        finally
        {
            if (!isWaiting)
            {
                clock.EndPhase();
            }

            if (!isCommitted)
            {
                response?.Dispose();
            }
        }
    }

    /// <summary>What the stream must fulfil to be called whole.</summary>
    public static StreamExpectation Expect(ForwardRequest request, Upstream upstream) => new(
        request.Fields.Choices,
        upstream.Options.RequireFinishReason,
        request.Route.Route.PutsModelBack && request.Route.Asked.Length > 0 ? Target.Encode(request.Route.Asked) : default,
        upstream.MapsFinishReasons,
        upstream.Redactor);
}
