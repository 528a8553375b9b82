using System.Text.Json;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Tests.Support;

/// <summary>A completion record, be it from a sink in process or a JSON line of the executable.</summary>
public sealed class RecordView
{
    private RecordView(string text, Func<string, string?> member)
    {
        Text = text;
        Id = member("Id") ?? "";
        ClientId = member("ClientId");
        Generation = Number(member("Generation")) ?? 0;
        Operation = member("Operation");
        Caller = member("Caller");
        Model = member("Model");
        Route = member("Route");
        Upstream = member("Upstream");
        UpstreamModel = member("UpstreamModel");
        Attempts = Number(member("Attempts")) is { } attempts ? (int)attempts : 0;
        Tried = member("Tried") ?? "";
        CoalescedWith = member("CoalescedWith");
        Status = (int)(Number(member("Status")) ?? 0);
        Streamed = bool.TryParse(member("Streamed"), out bool streamed) && streamed;
        End = member("End") ?? "";
        Blame = member("Blame");
        InputTokens = Number(member("InputTokens"));
        OutputTokens = Number(member("OutputTokens"));
        UsageSource = member("UsageSource");
    }

    /// <summary>Everything in it, to be searched for secrets.</summary>
    public string Text { get; }

    public string Id { get; }

    public string? ClientId { get; }

    public long Generation { get; }

    public string? Operation { get; }

    public string? Caller { get; }

    public string? Model { get; }

    public string? Route { get; }

    public string? Upstream { get; }

    public string? UpstreamModel { get; }

    public int Attempts { get; }

    /// <summary>The attempts where one failed: <c>main upstream_timeout, spare ok</c>.</summary>
    public string Tried { get; }

    public string? CoalescedWith { get; }

    public int Status { get; }

    public bool Streamed { get; }

    public string End { get; }

    public string? Blame { get; }

    public long? InputTokens { get; }

    public long? OutputTokens { get; }

    public string? UsageSource { get; }

    public static RecordView Of(ExchangeRecord record)
    {
        Dictionary<string, string?> members = typeof(ExchangeRecord).GetProperties()
            .ToDictionary(p => p.Name, p => Convert.ToString(p.GetValue(record), System.Globalization.CultureInfo.InvariantCulture));
        members["Tried"] = string.Join(", ", record.Tried.Select(t => t.Upstream + " " + t.End));
        return new RecordView(
            string.Join('\n', members.Select(m => m.Key + "=" + m.Value)),
            name => members[name] is { Length: > 0 } value ? value : null);
    }

    /// <summary>Null if the line is no record. Names are compared by their letters: <c>clientId</c>, <c>client_id</c>.</summary>
    public static RecordView? Of(string line)
    {
        if (!line.StartsWith('{'))
        {
            return null;
        }

        using JsonDocument document = JsonDocument.Parse(line);
        var members = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            members[property.Name.Replace("_", "", StringComparison.Ordinal)] =
                property.Value.ValueKind == JsonValueKind.Null ? null
                : property.NameEquals("tried") ? string.Join(", ", property.Value.EnumerateArray().Select(t => $"{t.GetProperty("upstream")} {t.GetProperty("end")}"))
                : property.Value.ToString();
        }

        return members.ContainsKey("Id") && members.ContainsKey("End") && members.ContainsKey("Status")
            ? new RecordView(line, name => members.GetValueOrDefault(name))
            : null;
    }

    public override string ToString() => Text;

    private static long? Number(string? text) =>
        text is null ? null : long.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
