using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>What the pipeline writes down of attempts, while they happen.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private static void NoteTarget(Exchange exchange, in RouteMatch route, Target target)
    {
        exchange.Upstream = target.Upstream.Name;
        exchange.Provider = target.Upstream.Provider;
        exchange.TargetModel = target.Model;
        exchange.UpstreamModel = DisplayText.Name(target.ModelFor(route.Star));
        exchange.Price = target.PriceFor(route.Star);
    }

    private void Note(Exchange exchange, ForwardRequest forward, Caller caller, in AttemptNote attempt)
    {
        var route = forward.Route;
        var upstream = attempt.Target.Upstream.Name;
        switch (attempt.Stage)
        {
            case AttemptStage.Began:
                exchange.Attempts++;
                if (attempt.IsHedge || route.Route.Hedge is not null)
                {
                    (exchange.Side ??= new SideCosts()).Begin(attempt.Target, attempt.Target.PriceFor(route.Star)?.CostOf(new Usage(exchange.PromptTokens, 0, 0), null) ?? 0);
                }

                if (!attempt.IsHedge && exchange.FirstEvent == 0)
                {
                    NoteTarget(exchange, route, attempt.Target);
                }

                return;
            case AttemptStage.FailedOver:
                accountant.FailedOver(upstream, attempt.Error!.Code);
                return;
            case AttemptStage.Copied:
                (exchange.Side ??= new SideCosts()).Copied(attempt.Target.PriceFor(route.Star));
                return;
        }

        exchange.WasSent |= attempt.WasSent;
        exchange.Side?.End(attempt.Target, CostOfSuperseded(exchange, attempt, route));

        if (attempt.Error is null)
        {
            exchange.FirstEvent = attempt.Ended;
            NoteTarget(exchange, route, attempt.Target);
            Remember(forward, caller, attempt.Target, attempt.Answer!);
            forward.Forget(attempt.Answer!);
        }
        else
        {
            if (exchange.FirstEvent == 0 && !attempt.IsSuperseded)
            {
                NoteTarget(exchange, route, attempt.Target);
            }

            if (attempt.Error.Cause is FailureCause.KeyRefused or FailureCause.ModelForbidden)
            {
                Log.CredentialsRefused(logger, upstream);
                accountant.AuthFailed(upstream);
            }
        }

        NoteEnded(exchange, attempt, route);
    }

    private void NoteEnded(Exchange exchange, in AttemptNote attempt, in RouteMatch route)
    {
        var upstream = attempt.Target.Upstream.Name;
        accountant.Attempted(upstream, attempt.Error?.Code);
        if (attempt.Error is not null || exchange.Tried is not null || exchange.Attempts > 1)
        {
            var model = DisplayText.Name(attempt.Target.ModelFor(route.Star));
            exchange.NoteTried(new AttemptRecord(upstream, model, attempt.Error?.Code ?? Exchange.Ok, time.GetElapsedTime(attempt.Began, attempt.Ended))
            {
                InputTokens = attempt.IsSuperseded && attempt.Usage.Input >= 0 ? attempt.Usage.Input : null,
                OutputTokens = attempt.IsSuperseded && attempt.Usage.Output >= 0 ? attempt.Usage.Output : null,
            });
        }

        if (attempt.IsHedge)
        {
            accountant.Hedged(upstream, attempt.Error?.Code);
        }
    }

    /// <summary>What one cost that had to end because another was faster: what it had said of it by then, or the prompt, which it has read.</summary>
    private static decimal? CostOfSuperseded(Exchange exchange, in AttemptNote attempt, in RouteMatch route) => attempt is not { IsSuperseded: true, WasSent: true } ? null
        : attempt.Target.PriceFor(route.Star)?.CostOf(attempt.Usage.Input >= 0 ? attempt.Usage : new Usage(exchange.PromptTokens, 0, 0), attempt.Usage.Tier) ?? 0;
}
