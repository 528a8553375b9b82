using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Tests.Configuration;

/// <summary>
/// Makes the JSON schema of a configuration from the tables by which it is read, with the XML docs of the options as
/// descriptions. Draft 7, which editors understand best.
/// </summary>
internal sealed partial class SchemaWriter
{
    private const string Reference = @"\$\{";

    /// <summary>What the rules demand whatever else is written. A test holds them against the reader.</summary>
    public static readonly IReadOnlyDictionary<Type, string[]> Required = new Dictionary<Type, string[]>
    {
        [typeof(LlmProxyOptions)] = ["Upstreams", "Models"],
        [typeof(ModelOptions)] = ["Targets"],
        [typeof(TargetOptions)] = ["Upstream", "Model"],
        [typeof(MirrorOptions)] = ["Target"],
        [typeof(EndUserOptions)] = ["Header"],
        [typeof(PriceOptions)] = ["Input"],
    };

    private readonly Dictionary<string, string> _docs;
    private readonly JsonObject _definitions = [];

    private SchemaWriter() => _docs = XDocument.Load(Path.Combine(AppContext.BaseDirectory, "LlmProxy.Core.xml"))
        .Descendants("member").ToDictionary(member => member.Attribute("name")!.Value, member => Words(member.Element("summary")));

    public static string Write()
    {
        var writer = new SchemaWriter();
        var root = new JsonObject
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "Configuration of LlmProxy",
        };
        foreach (var (name, value) in writer.ObjectOf(RootTable.Shape, typeof(LlmProxyOptions)))
        {
            root[name] = value?.DeepClone();
        }

        root["definitions"] = writer._definitions;
        return root.ToJsonString(new JsonSerializerOptions
        {
            WriteIndented = true,
            NewLine = "\n",
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }) + "\n";
    }

    private JsonNode Of(object shape)
    {
        switch (shape)
        {
            case TextShape or SecretShape or HeaderValueShape:
                return Type("string");
            case SwitchShape:
                return Type("boolean");
            case WholeNumberShape or LargeNumberShape:
                return Type("integer");
            case MoneyShape:
                return Type("number");
            case EndTimeShape:
                return Text("^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$|" + Reference);
            case ThresholdsShape thresholds:
                return new JsonObject
                {
                    ["type"] = "object",
                    ["patternProperties"] = new JsonObject { ["^[1-9][0-9]*$"] = Of(thresholds.EntryShape) },
                    ["additionalProperties"] = false,
                };
            case JsonShape:
                return new JsonObject();
            case AddressShape:
                return Text("://|" + Reference);
            case HttpVersionShape:
                return Any(new JsonObject { ["enum"] = new JsonArray("1.1", "2", "2.0", 1.1, 2) }, Text(Reference));
            case StoreShape:
                return Any(ChoiceOf(StoreTable.Kinds, typeof(StoreKind)), Of(StoreTable.LongForm));
            case TargetShape:
                return Any(Target(), Of(ModelTable.Target));
            case ModelShape:
                return Any(Target(), new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = Of(TargetShape.Instance) }, Of(ModelTable.LongForm));
        }

        // Generic shapes: the compiler does not know their arguments here.
        dynamic any = shape;
        Type kind = shape.GetType();
        return kind switch
        {
            _ when Derives(kind, typeof(UnitShape<>)) => Unit(((IEnumerable<(string Unit, long)>)any.Units).Select(unit => unit.Unit)),
            _ when Derives(kind, typeof(ChoiceShape<>)) => ChoiceOf(any, kind.GetGenericArguments()[0]),
            _ when Derives(kind, typeof(ListShape<>)) => new JsonObject { ["type"] = "array", ["items"] = Of((object)any.ItemShape) },
            _ when Derives(kind, typeof(MapShape<>)) => new JsonObject { ["type"] = "object", ["additionalProperties"] = Of((object)any.EntryShape) },
            _ when Derives(kind, typeof(ObjectShape<>)) => Define(shape, kind.GetGenericArguments()[0]),
            _ => throw new NotSupportedException($"What does a {kind.Name} look like in a schema? Teach it here."),
        };
    }

    private JsonObject Define(object shape, Type owner)
    {
        string name = owner.Name.Replace("Options", "", StringComparison.Ordinal);
        if (!_definitions.ContainsKey(name))
        {
            _definitions[name] = null;
            _definitions[name] = ObjectOf(shape, owner);
        }

        return new JsonObject { ["$ref"] = "#/definitions/" + name };
    }

    private JsonObject ObjectOf(object shape, Type owner)
    {
        var properties = new JsonObject();
        foreach (dynamic member in ((dynamic)shape).Members)
        {
            string name = member.Name;
            Type kind = ((object)member).GetType();
            if (kind.GetGenericTypeDefinition() == typeof(IgnoredMember<>))
            {
                properties[name] = Type("string");
            }
            else if ((bool)member.IsOffered)
            {
                JsonObject described = Described(Of((object)member.Shape), owner, name);
                properties[name] = described;
                if (Required.TryGetValue(owner, out string[]? needed) && needed.Contains(name) && (string?)described["type"] is "object" or "array")
                {
                    // Needed and empty is the same as not there.
                    described[(string?)described["type"] == "object" ? "minProperties" : "minItems"] = 1;
                }
            }
        }

        var all = new JsonObject { ["description"] = _docs.GetValueOrDefault("T:" + owner.FullName, ""), ["type"] = "object", ["properties"] = properties };
        if (Required.TryGetValue(owner, out string[]? required))
        {
            all["required"] = new JsonArray([.. required.Select(one => (JsonNode)one)]);
        }

        all["additionalProperties"] = false;
        return all;
    }

    private JsonObject Described(JsonNode value, Type owner, string name)
    {
        string? words = DocsOf(owner, name);
        var described = new JsonObject();
        if (words is not null)
        {
            described["description"] = words;
        }

        // Beside $ref, draft 7 ignores whatever else there is.
        if (value["$ref"] is not null)
        {
            described["allOf"] = new JsonArray(value);
            return described;
        }

        foreach (var (key, one) in value.AsObject())
        {
            described[key] = one?.DeepClone();
        }

        return described;
    }

    /// <summary>Of a member, or of the one that it inherits.</summary>
    private string? DocsOf(Type owner, string name)
    {
        for (Type? type = owner; type is not null; type = type.BaseType)
        {
            if (_docs.TryGetValue($"P:{type.FullName}.{name}", out string? words))
            {
                return words;
            }
        }

        return null;
    }

    private JsonObject ChoiceOf(dynamic shape, Type type)
    {
        var words = new JsonArray();
        var descriptions = new JsonArray();
        foreach (dynamic choice in shape.Choices)
        {
            words.Add((JsonNode)(string)choice.Item1);
            descriptions.Add((JsonNode)_docs.GetValueOrDefault($"F:{type.FullName}.{(object)choice.Item2}", ""));
        }

        return Any(new JsonObject { ["enum"] = words, ["enumDescriptions"] = descriptions }, Text(Reference));
    }

    private static JsonObject Unit(IEnumerable<string> units) => Any(Text($"^(0|[0-9]+({string.Join('|', units)}))$|{Reference}"), Const(0));

    private static JsonObject Target() => Text("^[^/]+/.+$|" + Reference);

    private static JsonObject Type(string type) => new() { ["type"] = type };

    private static JsonObject Text(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };

    private static JsonObject Const(JsonNode value) => new() { ["const"] = value };

    private static JsonObject Any(params JsonNode[] alternatives) => new() { ["anyOf"] = new JsonArray(alternatives) };

    private static bool Derives(Type? type, Type generic)
    {
        for (; type is not null; type = type.BaseType)
        {
            if (type.IsGenericType && type.GetGenericTypeDefinition() == generic)
            {
                return true;
            }
        }

        return false;
    }

    private static string Words(XElement? summary) => summary is null ? "" : Blanks().Replace(
        string.Concat(summary.Nodes().Select(node => node switch
        {
            XElement { Name.LocalName: "see" } see when see.Attribute("cref") is { } cref => Last(cref.Value),
            XElement element => element.Value,
            _ => ((XText)node).Value,
        })), " ").Trim();

    /// <summary>The name that a reference leads to, as an operator writes it: <c>Models</c>, not <c>P:…LlmProxyOptions.Models</c>.</summary>
    private static string Last(string reference) => reference[(reference.LastIndexOf('.') + 1)..];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
