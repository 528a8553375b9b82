using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// Closes the account of an admitted request, before the end of its answer goes out: what it used, what that costs, its lease, its
/// row. Waits for nothing.
/// </summary>
internal sealed class Settlement(Ledger ledger, TokenRates rates, ProxyMetrics metrics, TimeProvider time)
{
    private const int LongestEndUser = 256;

    /// <summary>Somebody wants to know what a request uses, even if its client does not.</summary>
    public bool WantsUsage(Exchange exchange) => ledger.IsOn || exchange.Lease.CountsUsage || exchange.Price is not null;

    /// <summary>The same before it is known who answers.</summary>
    public bool WantsUsage(Exchange exchange, in RouteMatch route)
    {
        if (ledger.IsOn || exchange.Lease.CountsUsage)
        {
            return true;
        }

        foreach (var target in route.Route.Targets)
        {
            if (target.PriceFor(route.Star) is not null)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The ledger may have no room for the row of another request, and that is not wanted.</summary>
    public bool RefusesNew => ledger.RefusesNew;

    /// <summary>Where the usage is from, as records say it.</summary>
    public static string SourceOf(Exchange exchange) => !exchange.Usage.IsKnown ? "none" : exchange.IsEstimate ? "estimate" : "upstream";

    /// <summary>All that is known must be written down by now. A second call does nothing.</summary>
    public void Settle(Exchange exchange)
    {
        if (!exchange.IsAdmitted || exchange.IsSettled)
        {
            return;
        }

        exchange.IsSettled = true;
        if (exchange.CoalescedWith is not null)
        {
            // Its leader answers for the tokens: here they would be counted twice.
            exchange.Usage = Usage.None;
            exchange.Cost = 0;
            exchange.Lease.Settle(0, 0);
        }
        else if (!WasUsed(exchange))
        {
            exchange.Usage = Usage.None;
            exchange.Cost = 0;
            exchange.Lease.GiveBack();
        }
        else
        {
            try
            {
                Complete(exchange);
                exchange.Cost = !exchange.IsGenerated ? 0 : exchange.Price?.CostOf(exchange.Usage, exchange.Usage.Tier);
            }
            finally
            {
                // Whatever fails here: its place among those that run is somebody else's from now on.
                exchange.Lease.Settle(Math.Max(0, exchange.Usage.Input) + Math.Max(0, exchange.Usage.Output), exchange.Cost);
            }
        }

        var side = exchange.Side?.Total(exchange.Usage) ?? 0;
        if (ledger.IsOn)
        {
            ledger.Append(RowOf(exchange, side), exchange.Usage.IsKnown ? exchange.RawUsage.Span : default);
        }

        exchange.RawUsage = default;

        // Last, for it is only looked at: the row is safe by now.
        if (exchange.Cost is > 0 and var cost)
        {
            metrics.Cost(exchange, cost);
        }
    }

    // An answer that was begun has been worked for; so has one that its client did not wait for or may not have any more, whether it left
    // or had said beforehand how long it would stay: else a client could have any prompt read for nothing. One that failed has not.
    private static bool WasUsed(Exchange exchange) =>
        exchange.FirstEvent != 0 || exchange.Usage.IsKnown
        || (exchange.WasSent && (exchange.IsGivenUp || exchange.End == ProxyErrors.ClientGone.Code || exchange.End == ProxyErrors.KeyEnded.Code));

    private void Complete(Exchange exchange)
    {
        var usage = exchange.Usage;
        if (!exchange.IsGenerated)
        {
            exchange.Usage = Usage.None;
            return;
        }

        if (!WantsUsage(exchange))
        {
            return;
        }

        var rate = rates.Of(exchange.Upstream, exchange.UpstreamModel);
        if (usage is { Input: >= 0, Output: >= 0 })
        {
            if (exchange.End == Exchange.Ok)
            {
                exchange.Lease.Learn(usage);
                rate?.Learn(usage, exchange.PromptTokens, exchange.Streamed ? exchange.TextBytes : 0, exchange.Events);
            }

            return;
        }

        exchange.IsEstimate = true;
        exchange.Usage = usage with
        {
            Input = usage.Input >= 0 ? usage.Input : rate?.Prompt(exchange.PromptTokens) ?? exchange.PromptTokens,
            Output = usage.Output >= 0 ? usage.Output
                : exchange.TextBytes == 0 && exchange.Events == 0 ? 0
                : exchange.Streamed && rate is not null ? rate.Answer(exchange.TextBytes, exchange.Events)
                : TokenEstimate.OfAnswer(exchange.TextBytes, exchange.Events),
        };
    }

    private LedgerRow RowOf(Exchange exchange, decimal operatorCost)
    {
        var key = exchange.Key!;
        return new LedgerRow
        {
            Id = exchange.Id,
            ClientId = exchange.ClientId,
            Started = exchange.StartedAt,
            Duration = time.GetElapsedTime(exchange.Started),
            FirstEvent = exchange.FirstEvent == 0 ? null : time.GetElapsedTime(exchange.Started, exchange.FirstEvent),
            Operation = exchange.Operation!,
            Key = key.Id,
            KeyName = key.Name,
            Group = key.Group,
            EndUser = exchange.Lease.EndUser is { Length: > LongestEndUser } longer ? longer[..LongestEndUser] : exchange.Lease.EndUser,
            Model = exchange.Route ?? "",
            Upstream = exchange.Upstream,
            UpstreamModel = exchange.UpstreamModel,
            Status = exchange.Status,
            Streamed = exchange.Streamed,
            End = exchange.End,
            InputTokens = Known(exchange.Usage.Input),
            CachedInputTokens = Known(exchange.Usage.CachedInput),
            CacheWriteTokens = Known(exchange.Usage.WrittenInput),
            CacheWrite1hTokens = Known(exchange.Usage.WrittenForHour),
            OutputTokens = Known(exchange.Usage.Output),
            ReasoningTokens = Known(exchange.Usage.Reasoning),
            UsageSource = SourceOf(exchange),
            ServiceTier = exchange.Usage.Tier,
            Cost = exchange.Cost,
            OperatorCost = operatorCost,
            CoalescedWith = exchange.CoalescedWith,
            Tried = exchange.Tried ?? [],
            KeyDay = exchange.Lease.KeyDay,
            GroupDay = exchange.Lease.GroupDay,
        };
    }

    private static long? Known(long count) => count < 0 ? null : count;
}
