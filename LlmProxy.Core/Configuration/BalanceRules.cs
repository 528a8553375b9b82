namespace LlmProxy.Core.Configuration;

/// <summary>Rules of how a model's targets are chosen, hedged and timed.</summary>
internal static class BalanceRules
{
    private const string HeaderPrefix = "Header:";

    private static readonly string[] StickyWords = ["Key", "User"];

    public static void Check(string path, ModelOptions model, Problems problems)
    {
        if (model.Balance == TargetBalance.InOrder)
        {
            WarnOfWeights(path, model, problems);
        }
        else if (model.Targets.Count > 0 && model.Targets.All(static t => t.Weight == 0))
        {
            problems.Error(Places.Member(path, "Targets"), "every target has the weight 0: nothing could be sent. Give one of them more.");
        }

        if (model.Sticky is { } sticky)
        {
            CheckSticky(Places.Member(path, "Sticky"), sticky, problems);
            if (model.Balance is { } balance and not TargetBalance.Weighted)
            {
                problems.Warning(Places.Member(path, "Sticky"), $"means nothing with \"Balance\": \"{balance}\". Leave Balance out, or write \"Weighted\".");
            }
        }

        if (model.Hedge is { } hedge)
        {
            CheckHedge(Places.Member(path, "Hedge"), hedge, model, problems);
        }

        ReadOnlySpan<(string Name, TimeSpan? Value)> clocks =
        [
            ("FirstEvent", model.Timeouts.FirstEvent), ("Idle", model.Timeouts.Idle), ("Response", model.Timeouts.Response),
            ("Total", model.Timeouts.Total), ("Heartbeat", model.Timeouts.Heartbeat),
        ];
        foreach (var (name, value) in clocks)
        {
            if (value is { } set)
            {
                UpstreamRules.CheckClock(Places.Member(Places.Member(path, "Timeouts"), name), set, problems);
            }
        }
    }

    private static void WarnOfWeights(string path, ModelOptions model, Problems problems)
    {
        if (model.Targets.Any(static t => t.Weight is not null))
        {
            problems.Warning(path, "weights mean nothing with \"Balance\": \"InOrder\". Leave Balance out, or write \"Weighted\".");
        }
    }

    private static void CheckSticky(string path, string sticky, Problems problems)
    {
        if (StickyWords.Contains(sticky))
        {
            return;
        }

        if (!sticky.StartsWith(HeaderPrefix, StringComparison.Ordinal))
        {
            problems.Error(path, $"{Problems.Value} is none of \"Key\", \"User\" and \"Header:name\".", sticky);
        }
        else if (!HeaderRules.IsToken(sticky[HeaderPrefix.Length..]))
        {
            problems.Error(path, $"{Problems.Value} does not name a header: write for example \"Header:x-tenant\".", sticky);
        }
    }

    private static void CheckHedge(string path, HedgeOptions hedge, ModelOptions model, Problems problems)
    {
        if (hedge.After is { } after && (after < TimeSpan.FromMilliseconds(1) || after > TimeSpan.FromHours(1)))
        {
            problems.Error(Places.Member(path, "After"), "is out of range: 1ms to 1h. Leave it out for the model's own 95th percentile.");
        }

        if (hedge.BudgetPercent is < 1 or > 100)
        {
            problems.Error(Places.Member(path, "BudgetPercent"), "is out of range: 1 to 100. Leave Hedge out to send nothing twice.");
        }

        if (model.Targets.Count == 1)
        {
            problems.Error(path, "there is no second target to ask. Name one, or leave Hedge out.");
        }
    }
}
