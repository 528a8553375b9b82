using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>Secrets that must turn up nowhere but where they belong.</summary>
public static class Canary
{
    /// <summary>The upstream's key: only in the Authorization that the upstream gets.</summary>
    public const string UpstreamKey = "up-canary-4uZkq81WmXo7";

    /// <summary>The key of the caller <c>tester</c>: only in what the client sends.</summary>
    public const string ClientKey = "sk-canary-client-9fGh2LpQ";

    /// <summary>The key of the caller <c>other</c>.</summary>
    public const string OtherClientKey = "sk-canary-other-5tRw8BnM";

    /// <summary>A word for prompts and answers: in no log and no record.</summary>
    public const string Prompt = "canary-prompt-zebra-kayak";

    private static readonly string[] s_keys = [UpstreamKey, ClientKey, OtherClientKey];

    private static readonly byte[][] s_keyBytes = [.. s_keys.Select(Encoding.ASCII.GetBytes)];

    /// <summary>The key that these bytes give away, if any.</summary>
    public static string? KeyIn(ReadOnlySpan<byte> bytes)
    {
        foreach (byte[] key in s_keyBytes)
        {
            if (bytes.IndexOf(key) >= 0)
            {
                return Encoding.ASCII.GetString(key);
            }
        }

        return null;
    }

    /// <summary>The secret, prompts included, that a line of ours gives away, if any.</summary>
    public static string? SecretIn(string text) =>
        s_keys.Append(Prompt).FirstOrDefault(secret => text.Contains(secret, StringComparison.Ordinal));
}
