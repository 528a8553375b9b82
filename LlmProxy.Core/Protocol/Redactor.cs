using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmProxy.Core.Protocol;

/// <summary>Takes secrets and addresses of one upstream out of text that it wrote, before anybody reads it.</summary>
internal sealed partial class Redactor(params string?[] secrets)
{
    private const string Mark = "[redacted]";

    // Longest first, so that a secret that holds another is replaced whole.
    private readonly string[] _secrets = [.. secrets.OfType<string>().Where(s => s.Length > 0).OrderByDescending(s => s.Length)];

    public string Apply(string text)
    {
        foreach (var secret in _secrets)
        {
            text = text.Replace(secret, Mark, StringComparison.OrdinalIgnoreCase);
        }

        return KeyLike().Replace(text, Mark);
    }

    /// <summary>A document with every name and value redacted as they read, however they were spelt; null if nothing was found in it.</summary>
    public byte[]? TryRewrite(JsonElement document)
    {
        var output = new ArrayBufferWriter<byte>();
        var isFound = false;
        using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            Write(document, json, ref isFound);
        }

        return isFound ? output.WrittenSpan.ToArray() : null;
    }

    private void Write(JsonElement element, Utf8JsonWriter json, ref bool isFound)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var member in element.EnumerateObject())
                {
                    json.WritePropertyName(Clean(member.Name, ref isFound));
                    Write(member.Value, json, ref isFound);
                }

                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in element.EnumerateArray())
                {
                    Write(item, json, ref isFound);
                }

                json.WriteEndArray();
                break;
            case JsonValueKind.String:
                json.WriteStringValue(Clean(element.GetString()!, ref isFound));
                break;
            default:
                WritePlain(element.GetRawText(), json, ref isFound);
                break;
        }
    }

    private void WritePlain(string value, Utf8JsonWriter json, ref bool isFound)
    {
        var wasFound = isFound;
        isFound = false;
        var clean = Clean(value, ref isFound);
        if (isFound)
        {
            json.WriteStringValue(clean);
        }
        else
        {
            json.WriteRawValue(value);
            isFound = wasFound;
        }
    }

    private string Clean(string text, ref bool isFound)
    {
        var clean = Apply(text);
        isFound |= !ReferenceEquals(clean, text);
        return clean;
    }

    /// <summary>Providers echo a part of the key (<c>sk-proj-****abcd</c>) or the header it came in.</summary>
    [GeneratedRegex(@"\b(?:sk|pk|rk|gsk|xai|key|AIza)[-_][A-Za-z0-9*_\-.]{6,}|\bBearer\s+[^\s""']{4,}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 250)]
    private static partial Regex KeyLike();
}
