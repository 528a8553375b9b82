using System.Globalization;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admission;

/// <summary>Whose limit it is.</summary>
internal enum Holder
{
    Key,
    Group,
    User,
}

/// <summary>What a caller is told whom a limit stops: which, whose, and when it frees up.</summary>
internal static class Refusals
{
    private const int SoonMs = 1000;

    /// <param name="shortfall">What has no room.</param>
    /// <param name="holder">Whose limit it is.</param>
    /// <param name="calendar">Whose days and months count.</param>
    /// <param name="day">Today there.</param>
    public static ProxyError Of(in Shortfall shortfall, Holder holder, Calendar calendar, CivilDay day) => shortfall.Dimension switch
    {
        Dimension.Requests => ProxyErrors.RateLimited(
            Text($"{Of(holder)} limit of {shortfall.Limit} requests a minute is reached. It frees up in {shortfall.Wait} s."), Ms(shortfall.Wait)),
        Dimension.Tokens when shortfall.Amount > shortfall.Limit => ProxyErrors.RateLimited(
            Text($"This request needs about {shortfall.Amount} tokens, and {Of(holder).ToLowerInvariant()} limit is {shortfall.Limit} a minute. Shorten it, or lower max_tokens."), 0) with
        { IsFinal = true },
        Dimension.Tokens => ProxyErrors.RateLimited(
            Text($"{Of(holder)} limit of {shortfall.Limit} tokens a minute has no room for this request: {shortfall.Taken} are taken, and it needs about {shortfall.Amount}. It frees up in {shortfall.Wait} s."),
            Ms(shortfall.Wait)),
        Dimension.Concurrent => ProxyErrors.RateLimited(
            Text($"{Of(holder)} limit of {shortfall.Limit} {(shortfall.Limit == 1 ? "request" : "requests")} at one time is reached. Try again when one has ended."), SoonMs),
        _ => OfBudget(shortfall, holder, calendar, day),
    };

    private static ProxyError OfBudget(in Shortfall shortfall, Holder holder, Calendar calendar, CivilDay day)
    {
        var (span, ends) = shortfall.Dimension switch
        {
            Dimension.Day => (" for today", (DateTimeOffset?)new DateTimeOffset(day.Ends, TimeSpan.Zero)),
            Dimension.Month => (" for this month", calendar.EndOfMonth(day)),
            _ => ("", (DateTimeOffset?)null),
        };
        var budget = $"{(holder == Holder.Group ? "Your group's" : "Your")} budget{span}";
        var resets = ends is { } at ? Text($"It resets {at:yyyy-MM-dd HH:mm} UTC.") : "It does not reset.";
        var used = shortfall.Taken - shortfall.Reserved;
        var stand = $"{Dollars(used)} of {Dollars(shortfall.Limit)} USD";
        return used >= shortfall.Limit ? ProxyErrors.InsufficientQuota($"{budget} is used up: {stand}. {resets}")
            : used + shortfall.Amount > shortfall.Limit
                ? ProxyErrors.InsufficientQuota($"{budget} has too little left for this request: {stand} are used, and it may cost {Dollars(shortfall.Amount)} USD. {resets}")
            : ProxyErrors.InsufficientQuota(
                $"The rest of {budget.ToLowerInvariant()} is set aside for requests that are running: {stand} are used, {Dollars(shortfall.Reserved)} USD set aside. Try again when one has ended.", SoonMs);
    }

    private static string Of(Holder holder) => holder switch
    {
        Holder.Key => "Your key's",
        Holder.Group => "Your group's",
        _ => "Your",
    };

    private static int Ms(long seconds) => (int)Math.Clamp(seconds, 1, 60) * 1000;

    private static string Dollars(long money) => Money.ToDollars(money).ToString("0.00####", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
