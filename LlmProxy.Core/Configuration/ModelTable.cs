using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Models</c>.</summary>
internal static class ModelTable
{
    private static readonly ListShape<TargetOptions> Targets = new(TargetShape.Instance, static () => new TargetOptions());

    /// <summary>The long form.</summary>
    public static ObjectShape<ModelOptions> LongForm { get; } = new(
        static () => new ModelOptions(),
        [
            Collections.List<ModelOptions, TargetOptions>("Targets", Targets, static o => o.Targets),
            Collections.Texts<ModelOptions>("Aliases", static o => o.Aliases),
            Collections.Json<ModelOptions>("Set", static o => o.Set),
            Collections.Json<ModelOptions>("Default", static o => o.Default),
            Collections.Texts<ModelOptions>("Remove", static o => o.Remove),
            Collections.Headers<ModelOptions>("Headers", static o => o.Headers),
            new Member<ModelOptions, ResponseModelName>(
                "ResponseModel",
                new ChoiceShape<ResponseModelName>([("Upstream", ResponseModelName.Upstream), ("Asked", ResponseModelName.Asked)]),
                static (o, v) => o.ResponseModel = v),
            new Member<ModelOptions, TargetBalance>(
                "Balance",
                new ChoiceShape<TargetBalance>(
                [
                    ("InOrder", TargetBalance.InOrder), ("Weighted", TargetBalance.Weighted),
                    ("LeastLoaded", TargetBalance.LeastLoaded), ("Affinity", TargetBalance.Affinity),
                ]),
                static (o, v) => o.Balance = v),
            new Member<ModelOptions, string>("Sticky", TextShape.Instance, static (o, v) => o.Sticky = v),
            new Member<ModelOptions, int>("Context", WholeNumberShape.Instance, static (o, v) => o.Context = v),
            new Member<ModelOptions, ModelTimeoutOptions>("Timeouts", ResilienceTable.ModelTimeouts, static (o, v) => o.Timeouts = v),
            new Member<ModelOptions, HedgeOptions>("Hedge", ResilienceTable.Hedge, static (o, v) => o.Hedge = v),
            new Member<ModelOptions, MirrorOptions>("Mirror", ResilienceTable.Mirror, static (o, v) => o.Mirror = v),
            new Member<ModelOptions, bool>("Coalesce", SwitchShape.Instance, static (o, v) => o.Coalesce = v),
        ])
    { IsNamedByOperator = true };

    /// <summary>The long form of a target.</summary>
    public static ObjectShape<TargetOptions> Target { get; } = new(
        static () => new TargetOptions(),
        [
            new Member<TargetOptions, string>("Upstream", TextShape.Instance, static (o, v) => o.Upstream = v),
            new Member<TargetOptions, string>("Model", TextShape.Instance, static (o, v) => o.Model = v),
            new Member<TargetOptions, int>("Weight", WholeNumberShape.Instance, static (o, v) => o.Weight = v),
            new Member<TargetOptions, int>("Priority", WholeNumberShape.Instance, static (o, v) => o.Priority = v),
            new Member<TargetOptions, int>("Context", WholeNumberShape.Instance, static (o, v) => o.Context = v),
            new Member<TargetOptions, PriceOptions>("Price", PriceTable.Shape, static (o, v) => o.Price = v),
        ]);
}

/// <summary>A model: one target, a list of targets, or an object with everything.</summary>
internal sealed class ModelShape : Shape<ModelOptions>
{
    public static ModelShape Instance { get; } = new();

    public override string Expected => "\"upstream/model\", a list of them, or an object with Targets";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out ModelOptions value)
    {
        var targets = Places.Member(node.Path, "Targets");
        switch (node.Kind)
        {
            case JsonValueKind.Object:
                return ModelTable.LongForm.TryRead(node, reading, out value);
            case JsonValueKind.String:
                value = new ModelOptions();
                value.Targets.Add(TargetShape.ReadAt(Places.Item(targets, 0), node, reading));
                return true;
            case JsonValueKind.Array:
                value = new ModelOptions();
                reading.Places.AddShortForm(targets, node.Path);
                for (var i = 0; i < node.Children.Count; i++)
                {
                    value.Targets.Add(TargetShape.ReadAt(Places.Item(targets, i), node.Children[i].Node, reading));
                }

                return true;
            default:
                return Mismatch(node, reading, out value);
        }
    }
}

/// <summary>A target: <c>"upstream/model"</c>, or an object.</summary>
internal sealed class TargetShape : Shape<TargetOptions>
{
    public static TargetShape Instance { get; } = new();

    public override string Expected => "\"upstream/model\" or an object with Upstream and Model";

    /// <summary>Reads a target that stands in a short form, where the options will have it at <paramref name="path"/>.</summary>
    public static TargetOptions ReadAt(string path, ConfigurationNode node, Reading reading)
    {
        reading.Places.AddShortForm(path, node.Path);
        return Read(path, node, reading) ?? new TargetOptions();
    }

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out TargetOptions value)
    {
        value = Read(node.Path, node, reading);
        return value is not null;
    }

    private static TargetOptions? Read(string path, ConfigurationNode node, Reading reading)
    {
        if (node.Kind == JsonValueKind.Object)
        {
            return ModelTable.Target.TryRead(node, reading, out var target) ? target : null;
        }

        if (node.Kind != JsonValueKind.String)
        {
            Instance.Mismatch(node, reading, out _);
            return null;
        }

        if (!reading.TryFill(node, out var text, out _))
        {
            return null;
        }

        // The first slash: names of models hold slashes (Qwen/Qwen3-Coder-30B), names of upstreams do not.
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == text.Length - 1)
        {
            reading.Refuse(node, $"{Problems.Quote(node.Text)} does not name an upstream and a model: write \"upstream/model\".");
            return null;
        }

        reading.Places.AddShortForm(Places.Member(path, "Upstream"), node.Path);
        reading.Places.AddShortForm(Places.Member(path, "Model"), node.Path);
        return new TargetOptions { Upstream = text[..slash], Model = text[(slash + 1)..] };
    }
}
