using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Store</c>.</summary>
internal static class StoreTable
{
    public static ChoiceShape<StoreKind> Kinds { get; } = new([("SQLite", StoreKind.SQLite), ("PostgreSQL", StoreKind.PostgreSQL), ("None", StoreKind.None)]);

    /// <summary>The long form.</summary>
    public static ObjectShape<StoreOptions> LongForm { get; } = new(
        static () => new StoreOptions(),
        [
            new Member<StoreOptions, StoreKind>("Kind", Kinds, static (o, v) => o.Kind = v),
            new Member<StoreOptions, string>("Path", TextShape.Instance, static (o, v) => o.Path = v),
            new Member<StoreOptions, string>("ConnectionString", new SecretShape(static _ => "STORE_CONNECTION"), static (o, v) => o.ConnectionString = v),
            new Member<StoreOptions, int>("KeepDays", WholeNumberShape.Instance, static (o, v) => o.KeepDays = v),
            new Member<StoreOptions, long>("Journal", LongSizeShape.Instance, static (o, v) => o.Journal = v),
            new Member<StoreOptions, FullJournal>(
                "WhenFull", new ChoiceShape<FullJournal>([("Serve", FullJournal.Serve), ("Refuse", FullJournal.Refuse)]), static (o, v) => o.WhenFull = v),
            new Member<StoreOptions, CutOffShare>(
                "WhenCutOff", new ChoiceShape<CutOffShare>([("Refuse", CutOffShare.Refuse), ("Serve", CutOffShare.Serve)]), static (o, v) => o.WhenCutOff = v),
        ]);
}

/// <summary>A store: its kind, or an object with everything.</summary>
internal sealed class StoreShape : Shape<StoreOptions>
{
    public static StoreShape Instance { get; } = new();

    public override string Expected => StoreTable.Kinds.Expected + ", or an object with Kind";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out StoreOptions value)
    {
        switch (node.Kind)
        {
            case JsonValueKind.Object:
                return StoreTable.LongForm.TryRead(node, reading, out value);
            case JsonValueKind.String when StoreTable.Kinds.TryRead(node, reading, out var kind):
                value = new StoreOptions { Kind = kind };
                return true;
            case JsonValueKind.String:
                value = null;
                return false;
            default:
                return Mismatch(node, reading, out value);
        }
    }
}
