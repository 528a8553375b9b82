namespace LlmProxy.Core.Configuration;

/// <summary>Turns days on which keys end into instants: in the time zone of the key, which is known when all has been read.</summary>
internal static class CallerEnds
{
    public static void Settle(LlmProxyOptions options)
    {
        foreach (var key in options.Keys.Values)
        {
            Settle(key, key.Group is { } name && options.Groups.TryGetValue(name, out var group) ? group : null, options);
        }
    }

    /// <param name="key">A key of the configuration or a store.</param>
    /// <param name="group">Its group.</param>
    /// <param name="options">The configuration.</param>
    public static void Settle(KeyOptions key, GroupOptions? group, LlmProxyOptions options)
    {
        if (key.LastDay is { } day)
        {
            key.Expires = TimeZones.EndOf(day, TimeZones.Of(key.TimeZone, group?.TimeZone, options.TimeZone));
        }
    }
}
