using System.Globalization;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admin;

/// <summary>Limits in words, as people write them.</summary>
internal static class AllowanceWords
{
    public static IEnumerable<string> Of(AllowanceOptions allowance)
    {
        if (allowance.Budget is { } budget)
        {
            if (budget.Day is { } day)
            {
                yield return Money(day) + " USD a day";
            }

            if (budget.Month is { } month)
            {
                yield return Money(month) + " USD a month";
            }

            if (budget.Total is { } total)
            {
                yield return Money(total) + " USD in all";
            }
        }

        if (allowance.RequestsPerMinute is { } requests)
        {
            yield return Number(requests) + " requests a minute";
        }

        if (allowance.TokensPerMinute is { } tokens)
        {
            yield return Number(tokens) + " tokens a minute";
        }

        if (allowance.Concurrent is { } concurrent)
        {
            yield return Number(concurrent) + " at once";
        }
    }

    private static string Money(decimal value) => value.ToString("#,0.##", CultureInfo.InvariantCulture);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
