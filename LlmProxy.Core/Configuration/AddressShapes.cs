using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>An absolute address. Not shown in messages: it may carry credentials.</summary>
internal sealed class AddressShape : TextualShape<Uri>
{
    public static AddressShape Instance { get; } = new();

    public override string Expected => "an address such as \"http://10.0.4.11:8000\"";

    protected override string? Understand(string text, string shown, out Uri value)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out var address))
        {
            value = address;
            return null;
        }

        value = null!;
        return text.Contains("://", StringComparison.Ordinal)
            ? "is not a valid address: write for example \"http://10.0.4.11:8000\"."
            : "is not a whole address: write it with http:// or https://, for example \"http://10.0.4.11:8000\".";
    }
}

/// <summary>An HTTP version: <c>2</c>, <c>"1.1"</c>, as a number or as text.</summary>
internal sealed class HttpVersionShape : Shape<Version>
{
    public static HttpVersionShape Instance { get; } = new();

    public override string Expected => "1.1 or 2";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out Version value)
    {
        value = null;
        if (node.Kind is not (JsonValueKind.String or JsonValueKind.Number))
        {
            return Mismatch(node, reading, out value);
        }

        if (!reading.TryFill(node, out var text, out _))
        {
            return false;
        }

        value = text switch
        {
            "1.1" => System.Net.HttpVersion.Version11,
            "2" or "2.0" => System.Net.HttpVersion.Version20,
            _ => null,
        };
        if (value is null)
        {
            reading.Refuse(node, $"needs {Expected}, not {Problems.Quote(node.Text)}.");
        }

        return value is not null;
    }
}
