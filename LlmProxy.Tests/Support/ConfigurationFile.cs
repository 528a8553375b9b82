using System.Globalization;
using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Tests.Support;

/// <summary>Writes options as the file that an operator would have written; what is at its default is left out.</summary>
public static partial class ConfigurationFile
{
    public static string Write(LlmProxyOptions options)
    {
        var file = new JsonObject
        {
            ["Upstreams"] = Map(options.Upstreams, Upstream),
            ["Models"] = Map(options.Models, Model),
        };
        if (options.Store is null)
        {
            // As an app without one: nothing is asked of the upstream for a ledger's sake.
            file["Store"] = "None";
        }

        Add(file, "Groups", Map(options.Groups, Group));
        Add(file, "Keys", Map(options.Keys, Key));
        Add(file, "Prices", Map(options.Prices, Price));
        Add(file, "Contact", options.Contact);
        Add(file, "TimeZone", options.TimeZone);
        Add(file, "AllowAnonymous", options.AllowAnonymous);
        Add(file, "RevealForbiddenModels", options.RevealForbiddenModels);
        Add(file, "Limits", Limits(options.Limits));
        Add(file, "Failover", Changed(options.Failover, new FailoverOptions()));
        return file.ToJsonString();
    }

    private static JsonObject Price(PriceOptions price)
    {
        var json = new JsonObject { ["Input"] = price.Input };
        foreach ((string name, decimal? value) in new[] { ("CachedInput", price.CachedInput), ("CacheWrite", price.CacheWrite), ("CacheWrite1h", price.CacheWrite1h), ("Output", price.Output), ("Request", price.Request) })
        {
            if (value is not null)
            {
                json[name] = value;
            }
        }

        return json;
    }

    private static JsonObject Upstream(UpstreamOptions upstream)
    {
        var json = new JsonObject
        {
            ["Kind"] = upstream.Kind == UpstreamKind.VLlm ? "vLLM" : upstream.Kind.ToString(),
            ["Url"] = upstream.Url?.ToString(),
            ["Proxy"] = upstream.Proxy,
        };
        Add(json, "ApiVersion", upstream.ApiVersion);
        Add(json, "CaFile", upstream.CaFile);
        Add(json, "ApiKey", upstream.ApiKey);
        Add(json, "Headers", Map(upstream.Headers, value => JsonValue.Create(value)));
        Add(json, "Timeouts", Changed(upstream.Timeouts, new TimeoutOptions()));
        Add(json, "RequireFinishReason", upstream.RequireFinishReason);
        Add(json, "AllowLinkLocal", upstream.AllowLinkLocal);
        if (!upstream.IncludeUsage)
        {
            json["IncludeUsage"] = false;
        }

        Add(json, "Queue", Changed(upstream.Queue, new QueueOptions()));
        Add(json, "Breaker", Changed(upstream.Breaker, new BreakerOptions()));
        if (upstream.Concurrent > 0)
        {
            json["Concurrent"] = upstream.Concurrent;
        }

        if (upstream.Probe is { } probe)
        {
            json["Probe"] = Changed(probe, new ProbeOptions());
        }

        if (upstream.Tags.Count > 0)
        {
            json["Tags"] = Strings(upstream.Tags);
        }

        if (upstream.Operations.Count > 0)
        {
            json["Operations"] = Strings(upstream.Operations);
        }

        return json;
    }

    /// <summary>Members that are not at their default; those that are times, numbers, switches or text.</summary>
    private static JsonObject Changed<T>(T options, T defaults)
        where T : class
    {
        var json = new JsonObject();
        foreach (System.Reflection.PropertyInfo property in typeof(T).GetProperties())
        {
            object? value = property.GetValue(options);
            if (value is not null && !value.Equals(property.GetValue(defaults)))
            {
                json[property.Name] = value switch
                {
                    TimeSpan time => time.TotalMilliseconds.ToString(CultureInfo.InvariantCulture) + "ms",
                    int number => number,
                    bool isOn => isOn,
                    _ => (JsonNode)(string)value,
                };
            }
        }

        return json;
    }

    private static JsonObject Model(ModelOptions model)
    {
        var json = new JsonObject
        {
            ["Targets"] = new JsonArray(
                [.. model.Targets.Select(Target)]),
        };
        Add(json, "Set", Map(model.Set, value => JsonNode.Parse(value.GetRawText())));
        Add(json, "Default", Map(model.Default, value => JsonNode.Parse(value.GetRawText())));
        Add(json, "Headers", Map(model.Headers, value => JsonValue.Create(value)));
        if (model.Aliases.Count > 0)
        {
            json["Aliases"] = Strings(model.Aliases);
        }

        if (model.Remove.Count > 0)
        {
            json["Remove"] = Strings(model.Remove);
        }

        if (model.Mirror is { Target: { } copied } mirror)
        {
            json["Mirror"] = new JsonObject { ["Target"] = Target(copied), ["Percent"] = mirror.Percent };
        }

        AddChoices(json, model);
        if (model.ResponseModel != default)
        {
            json["ResponseModel"] = model.ResponseModel.ToString();
        }

        return json;
    }

    private static void AddChoices(JsonObject json, ModelOptions model)
    {
        Add(json, "Balance", model.Balance?.ToString());
        Add(json, "Sticky", model.Sticky);
        Add(json, "Coalesce", model.Coalesce);
        Add(json, "Timeouts", Changed(model.Timeouts, new ModelTimeoutOptions()));
        if (model.Context is { } tokens)
        {
            json["Context"] = tokens;
        }

        if (model.Hedge is { } hedge)
        {
            json["Hedge"] = Changed(hedge, new HedgeOptions());
        }
    }

    private static JsonNode Target(TargetOptions target)
    {
        var json = new JsonObject { ["Upstream"] = target.Upstream, ["Model"] = target.Model };
        foreach (var (name, value) in new[] { ("Weight", target.Weight), ("Priority", target.Priority), ("Context", target.Context) })
        {
            if (value is { } number)
            {
                json[name] = number;
            }
        }

        return json;
    }

    private static JsonObject Limits(LimitOptions limits)
    {
        var defaults = new LimitOptions();
        var json = new JsonObject();
        foreach (System.Reflection.PropertyInfo property in typeof(LimitOptions).GetProperties())
        {
            object value = property.GetValue(limits)!;
            if (!value.Equals(property.GetValue(defaults)))
            {
                json[property.Name] = value is TimeSpan time ? FormattableString.Invariant($"{time.TotalMilliseconds}ms")
                    : value is Enum ? JsonValue.Create(value.ToString())
                    : property.Name == nameof(LimitOptions.Concurrent) ? JsonValue.Create((int)value)
                    : FormattableString.Invariant($"{value}B");
            }
        }

        return json;
    }

    private static JsonObject List(string name, IEnumerable<string>? values)
    {
        var json = new JsonObject();
        if (values is not null)
        {
            json[name] = Strings(values);
        }

        return json;
    }

    private static JsonArray Strings(IEnumerable<string> values) => [.. values.Select(value => (JsonNode)value)];

    private static JsonObject Map<T>(IDictionary<string, T> entries, Func<T, JsonNode?> write) =>
        new(entries.Select(entry => KeyValuePair.Create(entry.Key, write(entry.Value))));

    private static void Add(JsonObject json, string name, string? value)
    {
        if (value is not null)
        {
            json[name] = value;
        }
    }

    private static void Add(JsonObject json, string name, bool value)
    {
        if (value)
        {
            json[name] = value;
        }
    }

    private static void Add(JsonObject json, string name, JsonObject value)
    {
        if (value.Count > 0)
        {
            json[name] = value;
        }
    }
}
