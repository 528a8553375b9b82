using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Makes one attempt: sends the request to a target and reads its answer up to the commit.</summary>
internal sealed class AttemptSender(UpstreamClients clients, LoopGuard loops, TimeProvider time)
{
    /// <summary>
    /// Begins an attempt's time. What is returned has to be given the response of <see cref="SendAsync"/>, be told if either threw, and be
    /// closed: by who waits for it, because each method that waits for another costs every request.
    /// </summary>
    /// <param name="request">What the client asks for.</param>
    /// <param name="target">Whom to ask.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="attempt">Its clock. Owned by the answer, if there is one; else by the caller.</param>
    /// <param name="isLast">Nobody else is asked after this target: what it says, however it says it, is made the best of.</param>
    public AnswerReader Prepare(ForwardRequest request, Target target, LimitOptions limits, Attempt attempt, bool isLast)
    {
        if (!attempt.IsTimed)
        {
            attempt.Begin(
                request.WantsStream ? CutOff.FirstEvent : CutOff.Response,
                request.WantsStream ? target.Timeouts.FirstEvent : target.Timeouts.Response);
        }

        return AnswerReader.For(request, target, limits, attempt, isLast, time);
    }

    /// <summary>Sends the request to a target.</summary>
    /// <param name="request">What the client asks for.</param>
    /// <param name="target">Whom to ask.</param>
    /// <param name="parts">The body with its changes for that target.</param>
    /// <param name="attempt">What is sent as.</param>
    public Task<HttpResponseMessage> SendAsync(ForwardRequest request, Target target, BodyPart[] parts, Attempt attempt) =>
        attempt.SendAsync(clients.For(target.Upstream), UpstreamRequest.Build(request, target, parts, loops));

    /// <summary>What the stream must fulfil to be called whole.</summary>
    public static StreamExpectation Expect(ForwardRequest request, Upstream upstream) => new(
        request.Choices,
        upstream.Options.RequireFinishReason,
        request.Route.Route.PutsModelBack && request.Route.Asked.Length > 0 ? Target.Encode(request.Route.Asked) : default,
        upstream.MapsFinishReasons,
        upstream.Redactor)
    { TakesUsageOut = request.AsksForUsage(upstream) };
}
