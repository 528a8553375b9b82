namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="ModelOptions"/> and <see cref="TargetOptions"/>.</summary>
internal static class ModelRules
{
    private const int LongestName = 256;
    private const int HighestWeight = 1_000_000;

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        if (options.Models.Count == 0)
        {
            problems.Error("Models", "no model is configured: at least one is needed, for example \"*\": \"openai/*\".");
        }

        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, model) in options.Models)
        {
            var path = Places.Member("Models", name);
            if (!OptionsRules.IsName(name, LongestName) || ModelNames.HasStarInside(name))
            {
                problems.Error(path, $"the name of a model has 1 to {LongestName} characters on one line, and a star only at its end.");
            }

            CheckTargets(path, name, model, options, problems);
            CheckAliases(path, name, model, options, owners, problems);
            ParameterRules.Check(path, model, problems);
            HeaderRules.Check(Places.Member(path, "Headers"), model.Headers, problems);
            if (model.Context is < 1)
            {
                problems.Error(Places.Member(path, "Context"), "needs a number of tokens above 0.");
            }

            WarnOfWhatHasNoEffect(path, model, problems);
        }
    }

    private static void CheckTargets(string path, string name, ModelOptions model, LlmProxyOptions options, Problems problems)
    {
        var targets = Places.Member(path, "Targets");
        if (model.Targets.Count == 0)
        {
            problems.Error(targets, "no target: at least one is needed, for example \"openai/gpt-5\".");
        }

        for (var i = 0; i < model.Targets.Count; i++)
        {
            var target = model.Targets[i];
            var at = Places.Item(targets, i);
            CheckUpstream(Places.Member(at, "Upstream"), target.Upstream, options, problems);
            CheckTargetModel(Places.Member(at, "Model"), name, target.Model, problems);
            if (target.Model.Length > 0 && target.Model.All(static c => c == '.')
                && options.Upstreams.TryGetValue(target.Upstream, out var upstream) && AzureRules.HasDeployments(upstream))
            {
                problems.Error(Places.Member(at, "Model"), $"{Problems.Value} cannot be a deployment: its name is a part of the path.", target.Model);
            }

            if (target.Weight is < 1 or > HighestWeight)
            {
                problems.Error(Places.Member(at, "Weight"), "is out of range: 1 to 1000000.");
            }
        }
    }

    private static void CheckUpstream(string path, string upstream, LlmProxyOptions options, Problems problems)
    {
        if (upstream.Length == 0)
        {
            problems.Error(path, "is missing: the name of an upstream.");
        }
        else if (!options.Upstreams.ContainsKey(upstream))
        {
            problems.Error(path, $"unknown upstream {Problems.Value}. {NearestName.Advise(upstream, [.. options.Upstreams.Keys])}", upstream);
        }
    }

    private static void CheckTargetModel(string path, string name, string model, Problems problems)
    {
        var stars = model.Count(static c => c == '*');
        if (model.Length == 0)
        {
            problems.Error(path, "is missing: the name of the model at the upstream.");
        }
        else if (!OptionsRules.IsName(model, LongestName))
        {
            problems.Error(path, $"the name of a model has 1 to {LongestName} characters on one line.");
        }
        else if (stars > 1)
        {
            problems.Error(path, $"{Problems.Value} has more than one star.", model);
        }
        else if (stars == 1 && !ModelNames.IsPattern(name))
        {
            problems.Error(path, $"the star of {Problems.Value} stands for nothing: {Problems.Quote(name)} is one name, not a pattern.", model);
        }
    }

    private static void CheckAliases(
        string path, string name, ModelOptions model, LlmProxyOptions options, Dictionary<string, string> owners, Problems problems)
    {
        for (var i = 0; i < model.Aliases.Count; i++)
        {
            var alias = model.Aliases[i];
            var at = Places.Item(Places.Member(path, "Aliases"), i);
            if (!OptionsRules.IsName(alias, LongestName) || alias.Contains('*', StringComparison.Ordinal))
            {
                problems.Error(at, "an alias is one name without a star.");
            }
            else if (options.Models.ContainsKey(alias))
            {
                problems.Error(at, $"the alias {Problems.Value} is the name of a model.", alias);
            }
            else if (!owners.TryAdd(alias, name))
            {
                problems.Error(at, $"the alias {Problems.Value} is taken by {Problems.Quote(owners[alias])}.", alias);
            }
            else if (model.Targets.Any(static t => t.Model.Contains('*', StringComparison.Ordinal)))
            {
                problems.Error(at, $"the alias {Problems.Value} has nothing to put where the target has its star. Make it a model of its own.", alias);
            }
        }
    }

    // Once per model, however much of it there is: an operator is to know it, not to be tired by it.
    private static void WarnOfWhatHasNoEffect(string path, ModelOptions model, Problems problems)
    {
        var idle = new List<string>();
        if (model.Targets.Count > 1)
        {
            idle.Add(model.Targets.Count == 2 ? "the second target" : $"the {model.Targets.Count - 1} targets after the first");
        }

        if (model.Targets.Any(static t => t.Weight != 1))
        {
            idle.Add("Weight");
        }

        if (model.Balance != TargetBalance.InOrder)
        {
            idle.Add("Balance");
        }

        if (model.Context is not null)
        {
            idle.Add("Context");
        }

        if (idle.Count > 0)
        {
            problems.Warning(path, $"this version uses the first target only. Without effect yet: {string.Join(", ", idle)}.");
        }
    }
}
