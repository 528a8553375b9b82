namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="ModelOptions"/> and <see cref="TargetOptions"/>.</summary>
internal static class ModelRules
{
    private const int LongestName = 256;
    private const int HighestWeight = 1_000_000;
    private const int HighestPriority = 1000;

    // Which of them may be asked is kept in one word of bits.
    private const int MostTargets = 64;

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
            CheckContext(path, model.Context, problems);
            BalanceRules.Check(path, model, problems);
            CheckMirror(path, name, model, options, problems);
        }
    }

    private static void CheckTargets(string path, string name, ModelOptions model, LlmProxyOptions options, Problems problems)
    {
        var targets = Places.Member(path, "Targets");
        if (model.Targets.Count == 0)
        {
            problems.Error(targets, "no target: at least one is needed, for example \"openai/gpt-5\".");
        }

        if (model.Targets.Count > MostTargets)
        {
            problems.Error(targets, $"too many: a model has at most {MostTargets} targets.");
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

            CheckContext(at, target.Context, problems);
            if (target.Weight is < 0 or > HighestWeight)
            {
                problems.Error(Places.Member(at, "Weight"), $"is out of range: 0 to {HighestWeight}.");
            }

            if (target.Priority is < 0 or > HighestPriority)
            {
                problems.Error(Places.Member(at, "Priority"), $"is out of range: 0 to {HighestPriority}.");
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

    private static void CheckContext(string path, int? context, Problems problems)
    {
        if (context is < 1)
        {
            problems.Error(Places.Member(path, "Context"), "needs a number of tokens above 0.");
        }
    }

    private static void CheckMirror(string path, string name, ModelOptions model, LlmProxyOptions options, Problems problems)
    {
        if (model.Mirror is not { } mirror)
        {
            return;
        }

        var at = Places.Member(path, "Mirror");
        var target = Places.Member(at, "Target");
        CheckUpstream(Places.Member(target, "Upstream"), mirror.Target.Upstream, options, problems);
        CheckTargetModel(Places.Member(target, "Model"), name, mirror.Target.Model, problems);
        if (mirror.Percent is < 1 or > 100)
        {
            problems.Error(Places.Member(at, "Percent"), "is out of range: 1 to 100. Leave Mirror out to copy nothing.");
        }
    }
}
