using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>Keys of the admin API as people read them.</summary>
internal static class KeyView
{
    private const int MostModels = 12;

    public static void WriteTable(IReadOnlyList<JsonElement> keys, TextWriter output)
    {
        var table = new TextTable(new("name"), new("group"), new("id"), new("tail"), new("state"), new("until"), new("limits"));
        foreach (var key in keys)
        {
            table.Add(Text(key, "name"), Text(key, "group"), Text(key, "id"), Tail(key), Text(key, "state"), Day(key), string.Join(", ", Limits(key)));
        }

        table.Write(output);
    }

    /// <summary>What is known of one key, indented under its secret or name.</summary>
    public static void Write(JsonElement key, TextWriter output)
    {
        var group = Text(key, "group") is { Length: > 0 } g ? $" in {g}" : "";
        var until = Day(key) is { Length: > 0 } day ? $", until {day}" : "";
        output.WriteLine($"  id       {Visible.Line(Text(key, "id"))}  {Visible.Line(Text(key, "name") + group)}{until}{(Text(key, "state") is "active" or "" ? "" : $", {Text(key, "state")}")}");
        output.WriteLine($"  models   {Visible.Line(Models(key))}");
        output.WriteLine($"  limits   {(Limits(key) is { Count: > 0 } limits ? string.Join(", ", limits) : "none")}");
        if (key.TryGetProperty("left", out var left) && left.ValueKind == JsonValueKind.Array)
        {
            foreach (var (limit, i) in left.EnumerateArray().Select(static (limit, i) => (limit, i)))
            {
                output.WriteLine($"  {(i == 0 ? "left" : ""),-8} {Visible.Line(Left(limit))}");
            }
        }
    }

    private static string Left(JsonElement limit)
    {
        var money = Text(limit, "limit_of") == "usd";
        var (rest, all) = (Number(limit.GetProperty("left").GetDecimal(), money), Number(limit.GetProperty("limit").GetDecimal(), money));
        var whose = Text(limit, "meter").StartsWith("group/", StringComparison.Ordinal) ? " of the group" : "";
        var until = Text(limit, "resets") is { Length: >= 16 } resets && Text(limit, "window") is "day" or "month" ? $", until {resets[..10]} {resets[11..16]} UTC" : "";
        return $"{rest} of {all} {(money ? "USD" : Text(limit, "limit_of"))} a {Text(limit, "window")}{whose}{until}"
            .Replace(" a total", " in all", StringComparison.Ordinal).Replace(" concurrent a now", " at once", StringComparison.Ordinal);
    }

    private static string Number(decimal value, bool isMoney) =>
        value.ToString(isMoney ? (value is > 0 and < 1 ? "0.00####" : "N2") : "N0", System.Globalization.CultureInfo.InvariantCulture);

    public static string Text(JsonElement key, string name) =>
        key.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() ?? "" : "";

    private static string Tail(JsonElement key) => Text(key, "tail") is { Length: > 0 } tail ? "…" + tail : "";

    private static string Day(JsonElement key) => Text(key, "expires") is { Length: >= 10 } expires ? expires[..10] : "";

    private static string Models(JsonElement key)
    {
        if (!key.TryGetProperty("models", out var models) || models.ValueKind != JsonValueKind.Array)
        {
            return "";
        }

        var names = models.EnumerateArray().Select(static m => m.GetString() ?? "").ToList();
        return names.Count == 0 ? "none"
            : names.Count <= MostModels ? string.Join(", ", names)
            : $"{string.Join(", ", names.Take(MostModels))} and {names.Count - MostModels} more";
    }

    private static IReadOnlyList<string> Limits(JsonElement key) =>
        key.TryGetProperty("limits", out var limits) && limits.ValueKind == JsonValueKind.Array
            ? [.. limits.EnumerateArray().Select(static l => l.GetString() ?? "")]
            : [];
}
