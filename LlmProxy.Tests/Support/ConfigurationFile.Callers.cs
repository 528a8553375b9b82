using System.Globalization;
using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Tests.Support;

/// <summary>Groups and keys.</summary>
public static partial class ConfigurationFile
{
    private static JsonObject Group(GroupOptions group)
    {
        JsonObject json = Tagged(List("Models", group.Models), group.UpstreamTags);
        AddAllowance(json, group);
        AddList(json, "Endpoints", group.Endpoints);
        Add(json, "TimeZone", group.TimeZone);
        if (group.EachKey is { } each)
        {
            json["EachKey"] = AddAllowance([], each);
        }

        if (group.EndUser is { } users)
        {
            json["EndUser"] = AddAllowance(new JsonObject { ["Header"] = users.Header }, users);
        }

        return json;
    }

    private static JsonObject Key(KeyOptions key)
    {
        JsonObject json = Tagged(List("Models", key.Models), key.UpstreamTags);
        json["Hash"] = key.Hash ?? Core.Authentication.ApiKeys.Hash(key.Key!);
        Add(json, "Group", key.Group);
        Add(json, "Debug", key.Debug);
        AddAllowance(json, key);
        AddList(json, "Endpoints", key.Endpoints);
        Add(json, "TimeZone", key.TimeZone);
        Add(json, "Disabled", key.Disabled);
        Add(json, "Expires", key.Expires?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture));
        Add(json, "Metadata", Map(key.Metadata, value => JsonValue.Create(value)));
        return json;
    }

    private static JsonObject AddAllowance(JsonObject json, AllowanceOptions allowance)
    {
        AddNumber("RequestsPerMinute", allowance.RequestsPerMinute);
        AddNumber("TokensPerMinute", allowance.TokensPerMinute);
        AddNumber("Concurrent", allowance.Concurrent);
        Add(json, "Reserve", allowance.Reserve?.ToString());
        if (allowance.Budget is { } budget)
        {
            var windows = new JsonObject();
            foreach (var (name, amount) in new[] { ("Day", budget.Day), ("Month", budget.Month), ("Total", budget.Total) })
            {
                if (amount is { } dollars)
                {
                    windows[name] = dollars;
                }
            }

            json["Budget"] = windows;
        }

        return json;

        void AddNumber(string name, long? number)
        {
            if (number is { } count)
            {
                json[name] = count;
            }
        }
    }

    private static JsonObject Tagged(JsonObject json, IList<string> tags)
    {
        if (tags.Count > 0)
        {
            json["UpstreamTags"] = Strings(tags);
        }

        return json;
    }

    private static void AddList(JsonObject json, string name, IList<string>? values)
    {
        if (values is not null)
        {
            json[name] = Strings(values);
        }
    }
}
