using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Makes one attempt: sends the request to a target and reads its answer up to the commit.</summary>
internal sealed class AttemptSender(UpstreamClients clients, LoopGuard loops, TimeProvider time)
{
    /// <summary>Never throws for what an upstream does.</summary>
    /// <param name="request">What the client asks for.</param>
    /// <param name="target">Whom to ask.</param>
    /// <param name="parts">The body with its changes for that target.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="attempt">Its clock. Owned by the answer, if there is one; else by the caller.</param>
    /// <param name="isLast">Nobody else is asked after this target: what it says, however it says it, is made the best of.</param>
    public async ValueTask<Result<UpstreamAnswer>> SendAsync(
        ForwardRequest request, Target target, List<BodyPart> parts, LimitOptions limits, Attempt attempt, bool isLast)
    {
        var upstream = target.Upstream;
        if (!attempt.IsTimed)
        {
            attempt.Begin(
                request.WantsStream ? CutOff.FirstEvent : CutOff.Response,
                request.WantsStream ? target.Timeouts.FirstEvent : target.Timeouts.Response);
        }

        HttpResponseMessage? response = null;
        AnswerReader? reader = null;
        var isCommitted = false;
        try
        {
            var message = UpstreamRequest.Build(request, target, parts);
            message.Headers.TryAddWithoutValidation(LoopGuard.Header, (request.Seen & ClientHeaders.Via) != 0 ? loops.Next(request.Headers) : loops.Instance);
            response = await attempt.SendAsync(clients.For(upstream), message, attempt.Token);
            reader = new AnswerReader(request, target, Expect(request, upstream), limits, isLast, time);
            var result = Settle(await reader.ReadAsync(response, attempt.Token), attempt);
            isCommitted = result.Error is null;
            return result;
        }
        catch (Exception e)
        {
            // Who is asked once more because a kept connection was lost has no more time than who was asked once: it runs on.
            var isLost = response is null && attempt.WasLost && attempt.Reason == CutOff.None;
            if (!isLost)
            {
                attempt.EndPhase();
            }

            if (attempt.Reason != CutOff.None)
            {
                return Faults.OfCutOff(attempt.Reason) ?? ProxyErrors.ClientGone;
            }

            return response is not null ? Faults.InAnswer(e)
                : Faults.BeforeAnswer(e, attempt.HasConnected) with { MayRepeat = isLost };
        }
        finally
        {
            if (!isCommitted)
            {
                attempt.Usage = reader?.Usage ?? Usage.None;
                response?.Dispose();
            }
        }
    }

    /// <summary>What was read is the attempt's outcome, unless another was faster.</summary>
    private static Result<UpstreamAnswer> Settle(in Result<UpstreamAnswer> result, Attempt attempt)
    {
        if (result.Value is { } answer && !attempt.TryCommit())
        {
            answer.ReleaseRead();
            return ProxyErrors.Superseded;
        }

        if (result.Value is not { } committed)
        {
            attempt.EndPhase();
        }
        else if (committed.HasOutput)
        {
            attempt.EndWait();
        }
        else
        {
            attempt.HandOverPhase();
        }

        return result;
    }

    /// <summary>What the stream must fulfil to be called whole.</summary>
    public static StreamExpectation Expect(ForwardRequest request, Upstream upstream) => new(
        request.Fields.Choices,
        upstream.Options.RequireFinishReason,
        request.Route.Route.PutsModelBack && request.Route.Asked.Length > 0 ? Target.Encode(request.Route.Asked) : default,
        upstream.MapsFinishReasons,
        upstream.Redactor)
    { TakesUsageOut = request.AsksForUsage(upstream) };
}
