namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="AllowanceOptions"/> and what goes with them: end users, time zones, operations, metadata.</summary>
internal static class AllowanceRules
{
    private const decimal MostMoney = 1_000_000_000;
    private const int MostMetadata = 50;
    private const int LongestMetadata = 500;

    private static readonly string[] _operations = [.. UpstreamRules.Operations.Where(static o => o != "models")];

    // Whoever sets one of these would name the user by a secret, or by what the proxy itself reads.
    private static readonly string[] _noUsers = ["Authorization", "Cookie", "Proxy-Authorization", "x-llmproxy-key", "x-api-key", "api-key", "x-goog-api-key"];

    public static void Check(string path, AllowanceOptions allowance, Problems problems)
    {
        CheckCount("RequestsPerMinute", allowance.RequestsPerMinute);
        CheckCount("TokensPerMinute", allowance.TokensPerMinute);
        CheckCount("Concurrent", allowance.Concurrent);
        if (allowance.Budget is { } budget)
        {
            CheckBudget(Places.Member(path, "Budget"), budget, problems);
        }

        void CheckCount(string name, long? count)
        {
            if (count is < 1)
            {
                problems.Error(Places.Member(path, name), "is out of range: 1 or more. Leave it out for no limit.");
            }
        }
    }

    public static void CheckEndUser(string path, EndUserOptions users, Problems problems)
    {
        Check(path, users, problems);
        var at = Places.Member(path, "Header");
        if (users.Header.Length == 0)
        {
            problems.Error(at, "is missing: the header that names the user, for example \"X-OpenWebUI-User-Email\".");
        }
        else if (!HeaderRules.IsToken(users.Header))
        {
            problems.Error(at, "is not the name of a header: letters, digits and \"-\".");
        }
        else if (_noUsers.Contains(users.Header, StringComparer.OrdinalIgnoreCase))
        {
            problems.Error(at, "carries a secret, which must not become the name of a user.");
        }
    }

    public static void CheckTimeZone(string path, string? name, Problems problems)
    {
        if (name is not null && !TimeZones.TryFind(name, out _))
        {
            problems.Error(path, $"unknown time zone {Problems.Value}. {TimeZones.Advise(name)}", name);
        }
    }

    public static void CheckOperations(string path, IList<string>? operations, Problems problems)
    {
        for (var i = 0; i < (operations?.Count ?? 0); i++)
        {
            if (!_operations.Contains(operations![i], StringComparer.Ordinal))
            {
                problems.Error(Places.Item(path, i), $"unknown operation {Problems.Value}. {NearestName.Advise(operations[i], _operations)}", operations[i]);
            }
        }
    }

    public static void CheckMetadata(string path, IDictionary<string, string> metadata, Problems problems)
    {
        if (metadata.Count > MostMetadata)
        {
            problems.Error(path, $"has more than {MostMetadata} members.");
        }

        foreach (var (name, value) in metadata)
        {
            if (!OptionsRules.IsName(name) || value.Length > LongestMetadata || value.Any(char.IsControl))
            {
                problems.Error(Places.Member(path, name), $"needs a name of 1 to 100 characters and a text of at most {LongestMetadata}, each on one line.");
            }
        }
    }

    private static void CheckBudget(string path, BudgetOptions budget, Problems problems)
    {
        var isEmpty = budget.Day is null && budget.Month is null && budget.Total is null;
        if (isEmpty && !problems.Places.HasFailed(Places.Member(path, "Day")) && !problems.Places.HasFailed(Places.Member(path, "Month"))
            && !problems.Places.HasFailed(Places.Member(path, "Total")))
        {
            // Had one been unreadable, that would have been said.
            problems.Error(path, "limits nothing: give Day, Month or Total in US dollars.");
        }

        foreach (var (name, amount) in (ReadOnlySpan<(string, decimal?)>)[("Day", budget.Day), ("Month", budget.Month), ("Total", budget.Total)])
        {
            if (amount is < 0 or > MostMoney)
            {
                problems.Error(Places.Member(path, name), $"is out of range: 0 to {MostMoney:0} US dollars.");
            }
        }
    }
}
