namespace LlmProxy.Core.Endpoints;

/// <summary>
/// What stands before the paths of the API for clients that were made for Azure: <c>/openai/v1</c>, <c>/openai</c>, or
/// <c>/openai/deployments/{model}</c>. Their <c>api-version</c> means nothing here, whatever it is.
/// </summary>
internal static class AzurePaths
{
    private const string Root = "/openai/";
    private const string Version = "v1/";
    private const string Deployments = "deployments/";

    /// <summary>Takes it off a path; a path without it stays.</summary>
    /// <param name="path">Behind the prefix. Then with its slash, or from the model's name on.</param>
    /// <returns>True if a model's name stands in front of what is left.</returns>
    public static bool TakeOff(ref string path)
    {
        if (!path.StartsWith(Root, StringComparison.Ordinal))
        {
            return false;
        }

        var rest = path.AsSpan(Root.Length);
        if (rest.StartsWith(Deployments, StringComparison.Ordinal))
        {
            path = rest[Deployments.Length..].ToString();
            return true;
        }

        path = path[(Root.Length + (rest.StartsWith(Version, StringComparison.Ordinal) ? Version.Length : 0) - 1)..];
        return false;
    }

    /// <summary>A name as it was meant: of all escapes the server leaves only the slash's.</summary>
    public static string Unescape(string name) => name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
}
