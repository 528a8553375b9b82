using System.Diagnostics.CodeAnalysis;

namespace LlmProxy.Core.Configuration;

/// <summary>The value of a header, which is a secret if the header's name says so.</summary>
internal sealed class HeaderValueShape : Shape<string>
{
    private static readonly string[] SecretWords = ["key", "token", "secret", "password", "auth"];
    private static readonly SecretShape Secret = new(Places.LastName);

    public static HeaderValueShape Instance { get; } = new();

    public override string Expected => "text in quotes";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out string value)
    {
        var name = Places.LastName(node.Path);
        return SecretWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase))
            ? Secret.TryRead(node, reading, out value)
            : TextShape.Instance.TryRead(node, reading, out value);
    }
}
