namespace LlmProxy.Core.Configuration;

/// <summary>Everything that options must hold to, wherever they came from.</summary>
internal static class OptionsRules
{
    private const int LongestContact = 200;
    private static readonly TimeSpan LongestBody = TimeSpan.FromHours(24);
    private static readonly TimeSpan LongestDeadline = TimeSpan.FromHours(24);

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        ListenRules.Check(options.Listen, problems);
        if (options.Contact is { } contact)
        {
            CheckContact(contact, problems);
        }

        AllowanceRules.CheckTimeZone("TimeZone", options.TimeZone, problems);
        UpstreamRules.Check(options, problems);
        ModelRules.Check(options, problems);
        PriceRules.Check(options, problems);
        CallerRules.Check(options, problems);
        AdminTable.Check(options, problems);
        CorsRules.Check(options.Cors, problems);
        ResilienceRules.Check(options.Failover, problems);
        if (options.Store is { } store)
        {
            StoreRules.Check(store, problems);
        }

        CheckShutdown(options.Shutdown, problems);
        CheckSize("RequestBody", options.Limits.RequestBody, 1L << 10, 4L << 30, "1KiB to 4GiB", problems);
        CheckSize("AllRequestBodies", options.Limits.AllRequestBodies, 1L << 10, 1L << 50, "1KiB or more", problems);
        CheckLimits(options.Limits, problems);
        CheckSize("Event", options.Limits.Event, 1L << 10, 1L << 30, "1KiB to 1GiB", problems);
        CheckSize("HeldAnswer", options.Limits.HeldAnswer, 1L << 10, 1L << 30, "1KiB to 1GiB", problems);
    }

    /// <summary>A name that an operator gives: one line, no blanks around it, short enough for a label.</summary>
    public static bool IsName(string name, int longest = 100) =>
        name.Length > 0 && name.Length <= longest && name == name.Trim() && !name.Any(char.IsControl);

    private static void CheckContact(string contact, Problems problems)
    {
        if (!IsName(contact, LongestContact))
        {
            problems.Error("Contact", $"needs 1 to {LongestContact} characters on one line, for example \"platform@example.com\".");
        }
    }

    private static void CheckShutdown(ShutdownOptions shutdown, Problems problems)
    {
        if (shutdown.Deadline < TimeSpan.Zero || shutdown.Deadline > LongestDeadline)
        {
            problems.Error(Places.Member("Shutdown", "Deadline"), "is out of range: 0s to 24h.");
        }
        else if (shutdown.Pause < TimeSpan.Zero || shutdown.Pause > shutdown.Deadline)
        {
            problems.Error(Places.Member("Shutdown", "Pause"), "is longer than Deadline, which counts from the signal and has the pause in it.");
        }
    }

    private static void CheckLimits(LimitOptions limits, Problems problems)
    {
        if (limits.BodyTime < TimeSpan.Zero || limits.BodyTime > LongestBody)
        {
            problems.Error(Places.Member("Limits", "BodyTime"), "is out of range: 1s to 24h, or 0 for no limit.");
        }

        if (limits.Concurrent < 0)
        {
            problems.Error(Places.Member("Limits", "Concurrent"), "is out of range: 1 or more, or 0 for no limit.");
        }
    }

    private static void CheckSize(string name, long size, long least, long most, string range, Problems problems)
    {
        if (size < least || size > most)
        {
            problems.Error(Places.Member("Limits", name), $"is out of range: {range}.");
        }
    }
}
