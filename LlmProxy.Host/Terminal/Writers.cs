namespace LlmProxy.Host.Terminal;

/// <summary>The two standard streams by what they are for: <c>KEY=$(llmproxy …)</c> must never catch words for people.</summary>
internal static class Writers
{
    /// <summary>Standard output: the result of a command, and nothing else.</summary>
    public static TextWriter Results => Console.Out;

    /// <summary>Standard error: everything that is said to people.</summary>
    public static TextWriter People => Console.Error;
}
