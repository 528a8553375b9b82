using System.Text.RegularExpressions;

namespace LlmProxy.Core.Protocol;

/// <summary>Takes secrets and addresses of one upstream out of text that it wrote, before anybody reads it.</summary>
internal sealed partial class Redactor(params string?[] secrets)
{
    private const string Mark = "[redacted]";

    // Longest first, so that a secret that holds another is replaced whole.
    private readonly string[] _secrets = [.. secrets.OfType<string>().Where(s => s.Length > 0).OrderByDescending(s => s.Length)];

    /// <summary>One of the upstream's own secrets is in it. For values that are mostly clean and many; what merely looks like a key does not count.</summary>
    public bool IsSecretIn(string text)
    {
        foreach (var secret in _secrets)
        {
            if (text.Contains(secret, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    public string Apply(string text)
    {
        foreach (var secret in _secrets)
        {
            text = text.Replace(secret, Mark, StringComparison.OrdinalIgnoreCase);
        }

        return KeyLike().Replace(text, Mark);
    }

    /// <summary>Providers echo a part of the key (<c>sk-proj-****abcd</c>) or the header it came in.</summary>
    [GeneratedRegex(@"\b(?:sk|pk|rk|gsk|xai|key|AIza)[-_][A-Za-z0-9*_\-.]{6,}|\bBearer\s+[^\s""']{4,}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 250)]
    private static partial Regex KeyLike();
}
