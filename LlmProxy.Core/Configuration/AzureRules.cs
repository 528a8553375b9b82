using System.Globalization;

namespace LlmProxy.Core.Configuration;

/// <summary>Rules of upstreams of the kind <see cref="UpstreamKind.AzureOpenAI"/>.</summary>
internal static class AzureRules
{
    private const int LongestWord = 32;
    private const string Preview = "-preview";

    public static void Check(string path, UpstreamOptions upstream, Problems problems)
    {
        // A kind that could not be read may be this one.
        if (problems.Places.HasFailed(Places.Member(path, "Kind")))
        {
            return;
        }

        var at = Places.Member(path, "ApiVersion");
        if (upstream.Kind != UpstreamKind.AzureOpenAI)
        {
            if (upstream.ApiVersion is not null)
            {
                problems.Error(at, "is for the kind AzureOpenAI only. Leave it out.");
            }

            return;
        }

        if (upstream.ApiVersion is { } version && !IsDated(version) && !IsWord(version))
        {
            problems.Error(at, $"{Problems.Value} is no version: write a date as in \"2024-10-21\" or \"2025-04-01-preview\" for the classic paths, a word as in \"preview\" for those under /openai/v1, or leave it out.", version);
        }

        if (upstream.Url is { IsAbsoluteUri: true } url && url.AbsolutePath.Contains("/deployments", StringComparison.OrdinalIgnoreCase))
        {
            problems.Error(Places.Member(path, "Url"), "holds a deployment. Write the address of the resource only; the deployment is the model of a target.");
        }
    }

    /// <summary>It is asked at the classic paths, in which the model's name stands.</summary>
    public static bool HasDeployments(UpstreamOptions upstream) =>
        upstream.Kind == UpstreamKind.AzureOpenAI && upstream.ApiVersion is { } version && IsDated(version);

    private static bool IsDated(string version)
    {
        var date = version.EndsWith(Preview, StringComparison.Ordinal) ? version.AsSpan()[..^Preview.Length] : version;
        return DateOnly.TryParseExact(date, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);
    }

    private static bool IsWord(string version) =>
        version.Length is > 0 and <= LongestWord && char.IsAsciiLetter(version[0]) && version.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-');
}
